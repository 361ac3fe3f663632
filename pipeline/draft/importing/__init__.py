"""Documents of other programs (Word, saved web pages, Google Docs, Markdown from elsewhere) to a draft. Pure: bytes in, values out."""
