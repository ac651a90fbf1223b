# Package tools without rights: changes end with an error that says so, and nothing hangs.
fails() { local out; out=$(timeout 240 "${@:2}" 2>&1 </dev/null); local code=$?; if ((code > 0 && code < 124)) && [[ -n $out ]]; then echo "ok $1"; else echo "not ok $1: $code $out"; fi; }
check dpkg-version '1' 'dpkg --version | grep -c "Debian .dpkg. package"'
check dpkg-architecture "$(dpkg --print-architecture 2>&1)" 'dpkg --print-architecture'
check dpkg-compares-versions 'less' 'dpkg --compare-versions 1.9 lt 1.10 && echo less'
check dpkg-builds-a-package 'hello 1.0' 'mkdir -p h/DEBIAN; printf "Package: hello\nVersion: 1.0\nArchitecture: all\nMaintainer: t\nDescription: t\n" > h/DEBIAN/control
    dpkg-deb -b h h.deb >/dev/null; dpkg-deb -f h.deb Package Version | sed "s/.*: //" | paste -sd " "'
check apt-version '1' 'apt --version | grep -c "^apt "'
# Outside, root may: there it is only asked what it would do.
fails apt-update-fails-cleanly apt-get update $([[ $(id -u) == 0 ]] && echo --no-such-option)
fails apt-install-fails-cleanly apt-get install -y no-such-package-at-all
fails curl-fails-cleanly curl -sS --max-time 20 http://does-not-exist.invalid/
