"""HTTP beside Streamlit: signed files with ranges, streamed uploads, health, and the worker's life."""
