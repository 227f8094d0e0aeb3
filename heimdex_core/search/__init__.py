"""Query -> channels -> fusion -> hits, with the reasons."""
