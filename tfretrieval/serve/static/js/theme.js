/** Okabe and Ito's palette, as in the plots; black becomes white in dark mode. */
const LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8F8A1E"];
const DARK = ["#4FA3DB", "#F07A2B", "#2BC29A", "#E29BC4", "#8CCBF2", "#F2B63D", "#FFFFFF", "#C9C352"];

const darkMode = window.matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => darkMode.matches;
export const palette = () => (isDark() ? DARK : LIGHT);
export const color = (label) => palette()[label % LIGHT.length];
export const onThemeChange = (action) => darkMode.addEventListener("change", action);

/** Value of a CSS custom property. */
export const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
