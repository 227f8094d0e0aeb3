"""The app's own controls: each a folder with component.js and component.css, and a thin wrapper here."""
