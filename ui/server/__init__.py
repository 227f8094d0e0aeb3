"""The HTTP routes beside Streamlit: signed files with ranges, streamed uploads, and health checks."""
