"""Decks and labs as pages that open without a network: `vendoring` brings the scripts they need, `slides` makes decks
and `site` the labs with an index, `chromium` prints PDF and looks at every slide.
"""
