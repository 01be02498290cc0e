"""Cases that rules are decided on, by kind of evidence."""
