"""How the gateway is watched; nothing here decides anything."""
