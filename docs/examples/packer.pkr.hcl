# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# An image for tart with a jail in it. On a Mac with Apple silicon, tart (brew install openai/tools/tart), Ansible and this
# collection; from Terminal or by ssh, or Local Network privacy may keep Packer from the machine (docs/messages.md):
#
#   packer init packer.pkr.hcl
#   packer build packer.pkr.hcl
#   tart run sequoia-jail

packer {
  required_plugins {
    tart = {
      source  = "github.com/cirruslabs/tart"
      version = ">= 1.14.0"
    }
    ansible = {
      source  = "github.com/hashicorp/ansible"
      version = ">= 1.1.0"
    }
  }
}

variable "password" {
  type      = string
  default   = "admin"
  sensitive = true
}

variable "jail" {
  type    = string
  default = "/private/var/jails/first"
}

# Packer wants the file of a playbook, not its name.
variable "playbook" {
  type    = string
  default = "~/.ansible/collections/ansible_collections/darwin/jail/playbooks/build_jail.yml"
}

source "tart-cli" "mac" {
  # An image in which System Integrity Protection is off.
  vm_base_name = "ghcr.io/cirruslabs/macos-sequoia-base:latest"
  vm_name      = "sequoia-jail"
  cpu_count    = 4
  memory_gb    = 8
  disk_size_gb = 100
  # Out of the way of a larger disk, and there for updates.
  recovery_partition = "relocate"
  ssh_username       = "admin"
  ssh_password       = var.password
  ssh_timeout        = "5m"
}

build {
  sources = ["source.tart-cli.mac"]

  provisioner "ansible" {
    playbook_file = pathexpand(var.playbook)
    # The machine is a Mac, and the place of a jail.
    groups = ["macs", "jails"]
    # Straight to the machine: one connection for all tasks, which Packer's own relay does not keep.
    use_proxy = false
    user      = "admin"
    ansible_env_vars = [
      "ANSIBLE_PIPELINING=true",
      # The next machine has this one's address, and may have another key.
      "ANSIBLE_SSH_COMMON_ARGS=-o UserKnownHostsFile=/dev/null",
    ]
    extra_arguments = [
      "--extra-vars", "ansible_password=${var.password}",
      "--extra-vars", "jail_path=${var.jail} jail_user=admin",
    ]
  }
}
