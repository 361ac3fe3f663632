"""Our own local provider: Mailgun's interface, an inbox in the browser, and faults on demand. Nothing leaves the machine."""
