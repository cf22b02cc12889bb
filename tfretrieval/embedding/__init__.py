"""From images to vectors: the engines that compute them and `Embeddings`, the store that keeps them."""
