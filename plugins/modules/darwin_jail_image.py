#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_image
short_description: Export a macOS jail as an OCI image, or create a jail from one
version_added: 0.1.0
description:
  - Writes a jail into an OCI image layout, a directory that C(crane), C(skopeo), C(umoci) and registries understand.
    The image is for C(darwin) and the processor of the Mac.
  - Files are in layers, those that change least first - shared cache, system, Command Line Tools, Homebrew, rest. So a
    new package changes one small layer only.
  - Equal jails give equal images, on any Mac and at any time. The files of an unchanged jail are not read again.
  - An image does not contain files of the collection about the jail, files below mounts, sockets, FIFOs, C(._) files,
    and files of Finder and Spotlight. It also leaves out the contents of C(/private/tmp), C(/private/var/tmp),
    C(/private/var/folders), C(/private/var/log), C(/private/var/run) and C(/private/var/vm).
  - With O(state=present), creates a jail from an image. The image is not trusted. Each entry is inspected before it is
    written to the jail. Only root can enter the jail until the whole image is read. A refused image leaves no jail.
    After a killed run, the next run completes the jail.
  - Refuses an image with a wrong digest, or that unpacks to far more than files do.
  - Refuses a name that is absolute, contains C(..), or lies below a link or a file. Refuses two names that are the same
    name on the volume of the jail, and a name that is not valid there.
  - Refuses a hard link to anything but an earlier file or link of the image, and a symbolic link that leads out of the
    jail.
  - Refuses devices that a jail does not need, whiteouts that hide no name, sparse files, and an impossible owner, size
    or time.
  - An image contains software that Apple licenses for Macs. Use a private registry.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  state:
    description:
      - With V(exported), the module writes the image of the jail to the layout.
      - With V(present), the module creates the jail from the image. An existing jail stays when it was created from
        this image. Otherwise the task fails, see O(staging_path).
    type: str
    choices: [exported, present]
    default: exported
  staging_path:
    description:
      - With O(state=present), the path for the new jail when O(jail) is a jail of something else, which stays.
      - A jail of another image at this path is removed first. A jail is refused if this Mac does not know its image.
      - M(darwin.jail.darwin_jail_swap) then swaps the two.
    type: path
  layout:
    description:
      - The directory of the image layout on the Mac. It is created when it is missing, and may contain other images.
      - Blobs that only the previous image of this name needed are removed from it.
    type: path
    required: true
  archive:
    description:
      - A tar archive with the image and its layers, for a Mac that reaches no registry. An export writes it, as a
        layout with this image alone. O(state=present) reads it into O(layout) first.
      - When it contains images for several platforms, the one for this Mac is used.
      - C(skopeo) calls this format C(oci-archive). With O(state=present) set either this or O(reference).
    type: path
  name:
    description: The name of the image in the layout. Registries call it a tag.
    type: str
    default: latest
  architecture:
    description: The processor that an exported image is for. The default is the architecture of the Mac.
    type: str
    choices: [arm64, amd64]
  entrypoint:
    description: The program that a container runs, and its first arguments.
    type: list
    elements: str
    default: []
  command:
    description: Default arguments, or without O(entrypoint) the program. Those given at the start replace them.
    type: list
    elements: str
    default: []
  user:
    description:
      - The user that a container runs as, a name or number, with an optional group after a colon. By default root.
    type: str
  env:
    description: Environment variables. C(PATH) is set unless you set it.
    type: dict
    default: {}
  working_dir:
    description: The directory that a container starts in. By default C(/).
    type: str
  labels:
    description: Labels of the image.
    type: dict
    default: {}
  source_date_epoch:
    description:
      - Seconds since 1970, the creation time of the image. No file in it is newer. Times are whole seconds in any case,
        and directories and links have no times of their own.
      - Without this option the image has no creation time.
    type: int
  compression:
    description:
      - The compression of the layers of an exported image. V(zstd) takes a fraction of the time. It needs the program
        C(zstd) on the Mac (C(brew install zstd)), also on Macs that unpack the image. The program runs as the user
        nobody. Its output depends on its version.
      - The container runtime must support it. containerd does since 1.5.
    type: str
    choices: [gzip, zstd]
    default: gzip
  reference:
    description:
      - The image in a registry, such as C(registry.example.com/jails/dev:1). An export is pushed there.
        O(state=present) pulls it into O(layout) first. Only layers that the other side lacks are transferred.
      - With O(state=present) a digest is possible, such as C(registry.example.com/jails/dev@sha256:...). It is
        verified.
      - C(skopeo) or C(crane) transfers it. One of them must be on the Mac (C(brew install skopeo)), in
        C(/opt/darwin.jail/bin), C(/opt/homebrew/bin), C(/usr/local/bin) or C(/usr/bin). It runs as the user nobody, who
        must be able to reach it and O(layout). It gets the credentials of this registry only, from O(auth_file), from
        root's own login file, or from O(username).
    type: str
  auth_file:
    description:
      - A login file on the Mac, written by C(skopeo login), C(crane auth login) or C(docker login). Credentials in a
        keychain are not found. A file that cannot be read or is not a login file is refused before anything is done.
    type: path
  username:
    description: The user of the registry, instead of a login file.
    type: str
  password:
    description: The password of O(username).
    type: str
  plain_http:
    description: Use the registry without TLS, or with a certificate that cannot be verified.
    type: bool
    default: false
  retries:
    description: How often to retry a failed transfer, after 2, 4, 8 ... seconds. A refused login is not retried.
    type: int
    default: 3
notes:
  - Extended attributes are kept, except those that say where a file came from, such as C(com.apple.quarantine). Access
    control lists and file flags are lost, since container images have no format for them.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_jail_swap
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Export a jail as an image
  darwin.jail.darwin_jail_image:
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
    entrypoint: [/bin/zsh, -l]
    user: admin
    labels:
      org.opencontainers.image.title: sequoia-dev
  become: true

- name: Create a jail from it on another Mac, to which the layout was copied
  darwin.jail.darwin_jail_image:
    state: present
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
  become: true

- name: Export a jail as one file for another Mac
  darwin.jail.darwin_jail_image:
    jail: /private/var/jails/sequoia-dev
    layout: /private/var/images/sequoia-dev
    archive: /private/var/images/sequoia-dev.tar
  become: true

- name: Push a jail to a registry
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
  returned: unless check mode predicts the jail
  type: str
  sample: sha256:2458c20a47282882d06bcc6bc96e093a96c65a64e8793a557f1c4c7b5efb3076
path:
  description: The path of the jail, O(jail) or O(staging_path).
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
  returned: unless a jail of the image in the registry exists
  type: list
  elements: dict
  contains:
    name: {description: The part of the jail that it contains., type: str, sample: Homebrew}
    digest: {description: The digest of the compressed layer., type: str}
    diff_id: {description: The digest of the uncompressed layer., type: str}
    size: {description: The size of the compressed layer., type: int, sample: 3001241}
    new: {description: Whether this export added it to the layout., type: bool}
  sample: []
stats:
  description: The size of the image.
  returned: when an image or a jail was created, or check mode predicts it
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
