# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: shown
short_description: Escape control characters in text from a jail
version_added: 0.1.0
description:
  - Replaces characters that are not printable by escapes, such as control characters and line breaks. With them a
    program of a jail could clear the screen, change earlier output, or fake output of Ansible.
options:
  _input:
    description: A text, or a list of texts.
    type: raw
    required: true
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Print the output of a program
  ansible.builtin.debug:
    msg: "{{ ran.stdout_lines | darwin.jail.shown }}"
"""

RETURN = r"""
_value:
  description: The same text or texts, with escapes such as C(\\x1b).
  type: raw
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show_message


def shown(texts: Any) -> Any:
    return show_message(texts) if isinstance(texts, str) else [show_message(str(text)) for text in texts]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"shown": shown}
