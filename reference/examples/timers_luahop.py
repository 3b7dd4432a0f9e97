"""LuaHop: a timeout and an interval, polled by hand."""

from tideloop import luahop

loop = luahop.new()
loop.set_timeout({"ms": 250}, lambda: print("once, after a quarter of a second"))
ticks = loop.set_interval({"ms": 100}, lambda: print("tick"))

for _ in range(4):
    loop.poll()
luahop.clear_timer(ticks)
print("anything more?", loop.poll({"ms": 300}))
