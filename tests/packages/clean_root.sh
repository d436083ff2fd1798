# Sourced: clean systems without a compiler, one directory for each test. tests/docker has its images from here, too.
# shellcheck shell=bash disable=SC2154

# debootstrap's result is kept in .tools: it takes a minute or two.
base_of() { # release
  local archive=$tools/debootstrap/$1.tar options=() source=()
  if [ ! -f "$archive" ]; then
    command -v debootstrap > /dev/null || install_debian_packages debootstrap
    # An older debootstrap does not know new names. Their scripts are those of releases before.
    case $1 in
      forky) source=(http://deb.debian.org/debian /usr/share/debootstrap/scripts/sid) ;;
      jammy | noble)
        ubuntu_keys
        options=(--components=main,universe --keyring="$scratch/keys/usr/share/keyrings/ubuntu-archive-keyring.gpg")
        source=(http://archive.ubuntu.com/ubuntu /usr/share/debootstrap/scripts/gutsy) ;;
    esac
    step "debootstrap of $1"
    mkdir -p "$tools/debootstrap"
    debootstrap --variant=minbase "${options[@]}" "$1" "$scratch/base.$1" "${source[@]}" > "$scratch/debootstrap.log" ||
      { tail "$scratch/debootstrap.log"; fail "debootstrap of $1 failed"; }
    rm -rf "$scratch/base.$1/var/cache/apt/archives/"*.deb
    tar -C "$scratch/base.$1" -cf "$archive.new" . && mv "$archive.new" "$archive"
    rm -rf "$scratch/base.$1"
  fi
}

# The keys of Ubuntu, by the way of Debian 13, which has them as a package and whose keys Debian 12 has.
ubuntu_keys() {
  local debian=$scratch/root.keys
  [ ! -d "$scratch/keys" ] || return 0
  base_of trixie
  mkdir "$debian" && tar -C "$debian" -xf "$tools/debootstrap/trixie.tar"
  cp /etc/resolv.conf "$debian/etc/"
  chroot "$debian" sh -c 'apt-get update -qq && cd /tmp && apt-get download -qq ubuntu-keyring' > "$scratch/keys.log" 2>&1 ||
    { tail "$scratch/keys.log"; fail "the keys of Ubuntu cannot be had"; }
  dpkg-deb -x "$debian"/tmp/ubuntu-keyring_*.deb "$scratch/keys"
  rm -rf "$debian"
}

# Runs inside.sh in a new root. Its processes and mounts end with it.
in_clean_root() { # release arguments
  local release=$1 new
  shift
  base_of "$release"
  new=$(mktemp -d "$scratch/root.XXXXXX")
  tar -C "$new" -xf "$tools/debootstrap/$release.tar"
  cp /etc/resolv.conf "$new/etc/"
  # No service starts by itself.
  printf '#!/bin/sh\nexit 101\n' > "$new/usr/sbin/policy-rc.d" && chmod 755 "$new/usr/sbin/policy-rc.d"
  mkdir "$new/packages"
  cp "$dist"/*.deb "$dist"/*.tar.gz "$here/inside.sh" "$new/packages/"
  # A server that this Debian does not have.
  if [ "$1" = foreign ]; then mkdir "$new/servers" && cp -a "$tools/pg$2" "$new/servers/"; fi
  step "$release, without a compiler: $*"
  unshare --mount --pid --fork bash -euc '
    mount -t proc proc "$0/proc"
    mount -t tmpfs tmpfs "$0/dev/shm"
    exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root VERSION="$1" bash /packages/inside.sh "${@:2}"
  ' "$new" "$version" "$@"
  rm -rf "$new"
  passed=$((passed + 1))
}
