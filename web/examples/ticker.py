"""A live ticker: a price ten times a second, as a chart that grows.

python -m pyws run web/examples/ticker.py ws://127.0.0.1:8765/

In a terminal the chart is text. In a page it is that text, and a drawing where there is a document.
"""

import json
import sys

from pyws import WebSocket

if sys.platform == "emscripten":
    import js as page
elif sys.platform == "brython":
    from browser import self as page
else:
    page = None

SERVER = sys.argv[1] if len(sys.argv) > 1 else "ws://127.0.0.1:8765/"
LOWEST, HIGHEST = 94, 106
NUMBER = 24  # of prices, then it ends
prices = []

document = getattr(page, "document", None)
if not hasattr(document, "createElement"):
    document = None  # a worker has none, and in Brython one that can do nothing
if document:
    drawing = document.createElement("div")
    document.body.appendChild(drawing)


def on_message(event):
    tick = json.loads(event.data)
    prices.append(tick["price"])
    print(f"{tick['symbol']} {tick['price']:6.2f} {bar(tick['price'])}")
    if document:
        drawing.innerHTML = svg()
    if len(prices) == NUMBER:
        ws.close(1000, "seen enough")


def bar(price):
    """A bar of blocks, exact to the eighth of one."""
    whole, eighths = divmod(round(8 * 40 * (price - LOWEST) / (HIGHEST - LOWEST)), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[eighths].strip()


def svg():
    points = [f"{10 * x},{10 * (HIGHEST - price):.1f}" for x, price in enumerate(prices)]
    line = f'<polyline fill="none" stroke="currentColor" stroke-width="2" points="{" ".join(points)}"/>'
    return f'<svg viewBox="0 0 {10 * NUMBER} {10 * (HIGHEST - LOWEST)}" role="img" aria-label="prices">{line}</svg>'


ws = WebSocket(f"{SERVER}ticker")
ws.onmessage = on_message
ws.onclose = lambda event: print(f"closed: {event.code} {event.reason}")
