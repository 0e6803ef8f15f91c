#!/usr/bin/env bash
# Boots a real systemd as PID 1 on a throw-away overlay of this machine's root.
#
# Runs as the first process of new PID, mount, cgroup, UTS and IPC namespaces; the network is the
# host's. All of it, mounts included, goes with the namespaces. Argument: an empty folder.
set -eu
folder=$1

mount --make-rprivate /
# An overlay cannot lie on another one, which the host's root may be.
mount -t tmpfs -o mode=755,size=2g tmpfs "$folder"
mkdir "$folder"/{upper,work,root}
root=$folder/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$root"

mount -t proc proc "$root/proc"
# Or systemd-sysctl would change the settings of the machine's own kernel.
for below in sys irq bus sysrq-trigger; do
  if [ -e "$root/proc/$below" ]; then
    mount --bind "$root/proc/$below" "$root/proc/$below"
    mount -o remount,bind,ro "$root/proc/$below"
  fi
done
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0; do
  IFS=: read -r name major minor <<<"$device"
  mknod -m 666 "$root/dev/$name" c "$major" "$minor"
done
mkdir "$root"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do
  ln -s "fd/${stream%:*}" "$root/dev/${stream#*:}"
done

# Nothing that the host has enabled, and no unit that is about hardware, the clock or logins.
mkdir -p "$root/etc/systemd/system"
rm -rf "$root"/etc/systemd/system/*
for unit in getty.target systemd-logind.service systemd-timesyncd.service \
  systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket \
  systemd-udevd-kernel.socket systemd-tmpfiles-clean.timer systemd-journal-flush.service \
  systemd-journald-audit.socket e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer \
  proc-sys-fs-binfmt_misc.automount var-lib-machines.mount systemd-update-utmp.service \
  systemd-firstboot.service systemd-sysctl.service systemd-modules-load.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
  dev-hugepages.mount; do
  ln -s /dev/null "$root/etc/systemd/system/$unit"
done
echo booted >"$root/etc/hostname"
: >"$root/etc/fstab"

cd "$root"
mkdir -p .old
pivot_root . .old
cd /
umount -l /.old
rmdir /.old
# Shared, or LoadCredential= leaves an empty folder without a word.
mount --make-rshared /
hostname booted
exec env -i container=booted LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=multi-user.target --show-status=no --log-target=journal
