#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_image
short_description: Make an OCI image of a macOS jail, or a jail of an image
version_added: 0.1.0
description:
  - Writes a jail into an OCI image layout, a directory that C(crane), C(skopeo), C(umoci) and registries understand.
    The image is for C(darwin) and the processor of the Mac.
  - Files are in layers in the order in which they change least - shared cache, system, Command Line Tools, Homebrew,
    rest - so that a new package makes one small layer anew.
  - Equal jails give equal images, whichever Mac they are on and whenever it is done. An unchanged jail is looked at,
    but not read.
  - Left out are what the collection keeps about a jail, all below mounts, the contents of C(/private/tmp),
    C(/private/var/tmp), C(/private/var/folders), C(/private/var/log), C(/private/var/run) and C(/private/var/vm),
    sockets, FIFOs, C(._) files and what Finder and Spotlight leave behind.
  - The other way round, an image becomes a jail. The image is not trusted. Each entry is inspected before it is put
    into the jail. Only root can enter the jail until all of the image was read. When the image is refused, the jail is
    removed. It is refused when a digest is wrong, when a name in it is absolute, holds C(..), or lies below a link or
    a file; when a hard link names anything but an earlier file or link of the image; when a symbolic link climbs out
    of the jail; when it holds devices that a jail has no use for; when a whiteout in it hides no name; when two names
    in it are one on the volume of the jail, or cannot be names there; when a file in it is sparse, or has an owner, a
    size or a time that is not possible; and when it unpacks to far more than files do. A run that is killed is
    finished by the next one.
  - An image holds what Apple licenses for Macs. Keep it in a registry of your own.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  state:
    description:
      - With V(exported), the image of the jail is in the layout.
      - With V(present), the jail is made of the image. One that is there stays when it was made of this image, and the
        task fails when it was not.
    type: str
    choices: [exported, present]
    default: exported
  staging_path:
    description:
      - With O(state=present), where the jail is made when there is a jail of something else in O(jail), which stays. A
        jail of another image that is there is removed first, one of which this Mac does not know what it is made of is
        refused. M(darwin.jail.darwin_jail_swap) exchanges the two.
    type: path
  layout:
    description:
      - The directory of the image layout on the Mac, made when it is missing. It may hold other images, which are kept.
      - What only the former image of this name needed is removed from it.
    type: path
    required: true
  archive:
    description:
      - A file that holds the image and its layers, for a Mac that reaches no registry. What is exported is written to
        it, as a tar archive of a layout with this image alone; for O(state=present) it is brought into O(layout) first.
      - Of images for several platforms in it, the one for this Mac is taken.
      - C(skopeo) calls that C(oci-archive). For O(state=present) give this or O(reference).
    type: path
  name:
    description: The name of the image in the layout, what registries call a tag.
    type: str
    default: latest
  architecture:
    description: The processor that an exported image is for. That of the Mac when left out.
    type: str
    choices: [arm64, amd64]
  entrypoint:
    description: The program that a container starts, and its first arguments.
    type: list
    elements: str
    default: []
  command:
    description: Further arguments, or without O(entrypoint) the program, unless others are given at the start.
    type: list
    elements: str
    default: []
  user:
    description: The user that it runs as, a name or number, optionally with a group after a colon. Root when left out.
    type: str
  env:
    description: Environment variables. C(PATH) is set unless it is given.
    type: dict
    default: {}
  working_dir:
    description: The directory that it starts in, C(/) when left out.
    type: str
  labels:
    description: Labels of the image.
    type: dict
    default: {}
  source_date_epoch:
    description:
      - Seconds since 1970. The image claims to be made then, and no file in it is newer. Times are whole seconds in any
        case, and directories and links have none of their own.
      - Without it the image does not say when it was made.
    type: int
  compression:
    description:
      - What packs the layers of an exported image. V(zstd) takes a fraction of the time, and needs the program C(zstd)
        on the Mac (C(brew install zstd)), also where the image is unpacked. It runs as the user nobody. Its result
        depends on its version.
      - Who runs the image must be able to read it. containerd does so since 1.5.
    type: str
    choices: [gzip, zstd]
    default: gzip
  reference:
    description:
      - The image in a registry, such as C(registry.example.com/jails/dev:1). What is exported is pushed there; for
        V(present) it is pulled into O(layout) first. Only layers that the other side lacks travel.
      - For O(state=present) also by its digest, such as C(registry.example.com/jails/dev@sha256:...); it is compared.
      - C(skopeo) does it, or where there is none C(crane). One of them must be on the Mac (C(brew install skopeo)), in
        C(/opt/darwin.jail/bin), C(/opt/homebrew/bin), C(/usr/local/bin) or C(/usr/bin). It runs as the user nobody, who
        must be able to reach it and O(layout), and is given the login of this registry alone, which is that of
        O(auth_file), of root's own login file, or of O(username).
    type: str
  auth_file:
    description:
      - A login file on the Mac, as C(skopeo login), C(crane auth login) or C(docker login) write it. Logins in a
        keychain are not found. A file that cannot be read, or is no login file, is refused before anything is done.
    type: path
  username:
    description: The user to log in as, instead of with a login file.
    type: str
  password:
    description: The password of O(username).
    type: str
  plain_http:
    description: Speak to a registry without TLS, or with a certificate that nobody vouches for.
    type: bool
    default: false
  retries:
    description: How often a failed transport is tried again, after 2, 4, 8 ... seconds. A refused login is not.
    type: int
    default: 3
notes:
  - Extended attributes are kept, but for those that tell where a file came from, such as C(com.apple.quarantine).
    Access control lists and file flags are not kept, since containers have no form for them.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Make an image of a jail
  darwin.jail.darwin_jail_image:
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
    entrypoint: [/bin/zsh, -l]
    user: admin
    labels:
      org.opencontainers.image.title: sequoia-dev
  become: true

- name: Make a jail of it on another Mac, to which the layout was copied
  darwin.jail.darwin_jail_image:
    state: present
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
  become: true

- name: Make one file of a jail, to be carried to another Mac
  darwin.jail.darwin_jail_image:
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
    archive: /private/var/images/sequoia-dev.tar
  become: true

- name: Publish a jail
  darwin.jail.darwin_jail_image:
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
    reference: registry.example.com/jails/sequoia-dev:1
    username: builder
    password: "{{ registry_password }}"
  become: true
"""

RETURN = r"""
digest:
  description: The digest of the image's manifest.
  returned: unless the jail is only foretold, in check mode
  type: str
  sample: sha256:2458c20a47282882d06bcc6bc96e093a96c65a64e8793a557f1c4c7b5efb3076
path:
  description: Where the jail is, O(jail) or O(staging_path).
  returned: with O(state=present)
  type: str
  sample: /private/var/jails/sequoia-dev
reference:
  description: The image in the registry, with its tag.
  returned: when O(reference) is given
  type: str
  sample: registry.example.com/jails/sequoia-dev:1
layers:
  description: The layers, the lowest first.
  returned: unless a jail of the image in the registry is there
  type: list
  elements: dict
  contains:
    name: {description: Which part of the jail it holds., type: str, sample: Homebrew}
    digest: {description: The digest of the packed layer., type: str}
    diff_id: {description: The digest of the layer before it was packed., type: str}
    size: {description: The size of the packed layer., type: int, sample: 3001241}
    new: {description: Whether an export put it into the layout., type: bool}
  sample: []
stats:
  description: What the image is made of.
  returned: when an image or a jail was made, or in check mode could be
  type: dict
  contains:
    files: {description: Files and links in the jail., type: int, sample: 50362}
    bytes: {description: Size of the files., type: int, sample: 559149672}
    bytes_packed: {description: Size of all exported layers., type: int, sample: 246416051}
    bytes_new: {description: Size of exported layers that were not in the layout before., type: int, sample: 3001241}
    seconds: {description: How long it took., type: float, sample: 14.2}
  sample: {files: 50362, bytes: 559149672, bytes_packed: 246416051, bytes_new: 0, seconds: 0.6}
"""

from ansible_collections.darwin.jail.plugins.module_utils._jail.image.transfer import transfer
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "jail": {"type": "path", "required": True},
    "state": {"choices": ["exported", "present"], "default": "exported"},
    "archive": {"type": "path"},
    "staging_path": {"type": "path"},
    "layout": {"type": "path", "required": True},
    "name": {"default": "latest"},
    "architecture": {"choices": ["arm64", "amd64"]},
    "entrypoint": {"type": "list", "elements": "str", "default": []},
    "command": {"type": "list", "elements": "str", "default": []},
    "user": {},
    "env": {"type": "dict", "default": {}},
    "working_dir": {},
    "labels": {"type": "dict", "default": {}},
    "source_date_epoch": {"type": "int"},
    "compression": {"choices": ["gzip", "zstd"], "default": "gzip"},
    "reference": {},
    "auth_file": {"type": "path"},
    "username": {},
    "password": {"no_log": True},
    "plain_http": {"type": "bool", "default": False},
    "retries": {"type": "int", "default": 3},
    "progress_file": {"type": "path"},
}


def main() -> None:
    run(transfer, SPEC, required_by={"password": "username"})


if __name__ == "__main__":
    main()
