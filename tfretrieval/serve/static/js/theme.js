/** Okabe and Ito's palette, safe for the color-blind, in the order of the figures; black turns white in the dark. */
const LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8F8A1E"];
const DARK = ["#4FA3DB", "#F07A2B", "#2BC29A", "#E29BC4", "#8CCBF2", "#F2B63D", "#FFFFFF", "#C9C352"];

const darkness = window.matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => darkness.matches;
export const palette = () => (isDark() ? DARK : LIGHT);
export const color = (label) => palette()[label % LIGHT.length];
export const onThemeChange = (action) => darkness.addEventListener("change", action);

/** A color of the style sheet. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
