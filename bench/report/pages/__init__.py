"""The site's pages, from sources and evidence."""
