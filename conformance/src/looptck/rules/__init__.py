"""The rules of the documents: pages of Markdown, and the catalogue that reads them."""
