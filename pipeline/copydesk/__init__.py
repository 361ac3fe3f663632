"""The copy desk: what a good copy editor would say of an issue that parses. Pure: no file, no network, no clock."""
