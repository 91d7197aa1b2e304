"""Word vectors: counted, learned, asked, judged, mended, drawn."""
