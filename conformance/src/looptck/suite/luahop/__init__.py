"""The rules of the LuaHop document."""
