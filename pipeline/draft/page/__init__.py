"""A page's text, copied from a browser, sorted into a draft: ``read_page``, then ``to_draft``. Pure text in, text out."""
