"""The messages between the gateway's processes. Pure: bytes in, structs out; no sockets."""
