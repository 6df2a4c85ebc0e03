"""The relay: one public port for the media of all WebRTC peers."""
