# Makes of a Debian with Python what runs in the image: no package manager, no Perl, no pip, no
# documentation, no time zones (the package tzdata has them); a user of its own, and the folders that volumes are mounted at, which are his.
set -eu

echo 'kubemu:x:10001:10001:kubemu:/var/lib/kubemu:/bin/sh' >>/etc/passwd
echo 'kubemu:x:10001:' >>/etc/group

for folder in /etc/kubemu /var/lib/kubemu \
    /pki/authority /pki/apiserver /pki/scheduler /pki/controller-manager /pki/etcd /pki/metrics \
    /pki/node-1 /pki/node-2 /pki/node-3; do
  mkdir -p "$folder"
  chmod 0700 "$folder"
  chown 10001:10001 "$folder"
done

for python in /usr/lib/python3.* /usr/local/lib/python3.*; do
  [ -d "$python" ] || continue
  for part in ensurepip idlelib lib2to3 pydoc_data tkinter turtledemo test; do
    rm -rf "${python:?}/$part"
  done
  rm -rf "$python"/config-3* "$python"/site-packages/*
done
rm -rf /usr/share/python-wheels /usr/share/doc /usr/share/man /usr/share/locale /usr/share/info \
  /usr/share/zoneinfo /usr/share/perl* /usr/lib/*/perl* /usr/lib/*/perl-base /usr/bin/perl* /usr/share/bash-completion \
  /usr/share/bug /usr/share/lintian /usr/share/zsh /usr/share/common-licenses /usr/share/gcc \
  /usr/lib/apt /usr/lib/dpkg /usr/share/dpkg /var/cache/* /var/lib/apt /var/log/* \
  /usr/bin/apt* /usr/bin/dpkg* /usr/lib/*/libapt* /usr/lib/valgrind /usr/lib/udev \
  /usr/lib/systemd /lib/systemd /lib/udev /usr/sbin/e2* /sbin/e2* /sbin/mke2fs /sbin/fsck* \
  /sbin/mkfs* /sbin/resize2fs /sbin/tune2fs /sbin/debugfs /usr/lib/*/gconv
# Last: dpkg's own notes of what was there.
rm -rf /var/lib/dpkg
