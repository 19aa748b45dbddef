# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Send a request every 20 ms until told to end. Count what was answered and refused, and the times without answers."""

import json
import os
import time
import urllib.request

ENOUGH, RESULT = "/private/tmp/enough", "/private/tmp/requests"

good = refused = failed = 0
gaps = []
"""Seconds from the last answer before requests were refused to the first one after."""
last = time.monotonic()
end = last + 1200
while not os.path.exists(ENOUGH) and time.monotonic() < end:
    try:
        urllib.request.urlopen("http://127.0.0.1:8080/", timeout=5).read()
        good += 1
        if failed:
            gaps.append(round(time.monotonic() - last, 2))
        failed = 0
        last = time.monotonic()
    except OSError:
        refused += 1
        failed += 1
    time.sleep(0.02)
with open(RESULT, "w", encoding="ascii") as file:
    json.dump({"good": good, "refused": refused, "gaps": gaps}, file)
