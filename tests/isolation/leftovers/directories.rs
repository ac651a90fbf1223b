//! Messages left in what stays: mode, times, attributes and flags of the slot's own directories.

use super::{Shows, leaves_nothing, owns_its_files};
use crate::case::{Control, assert_control, inside};
use crate::common::{NOBODY, Way, scratch};
use crate::episodes::{python, shell};
use std::os::unix::fs::chown;

#[test]
fn modes_of_our_own_directories() {
    leaves_nothing(
        Shows::Where(owns_its_files),
        shell(
            "",
            "chmod 000 $HOME $TMPDIR . / /var /home /run /var/tmp /dev/shm 2>/dev/null; true",
        ),
        shell(
            "",
            "stat -c '%a' . $TMPDIR $HOME; echo x > f && echo x > $TMPDIR/f && echo x > $HOME/f && echo writable",
        ),
    );
}

#[test]
fn attributes_of_our_own_directories() {
    leaves_nothing(
        Shows::Nowhere("attributes can't be set"),
        python(
            "",
            "import os\nfor d in ('.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/var', '/dev/shm'):\n try: os.setxattr(d,'user.left',b'x')\n except OSError: pass",
        ),
        python(
            "",
            "import os\nfor d in ('.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/var', '/dev/shm'):\n try: print(d in '.', os.listxattr(d))\n except OSError as e: print(e.errno)",
        ),
    );
}

#[test]
fn modes_times_and_attributes_of_the_sandboxes_own_files() {
    leaves_nothing(
        Shows::Nowhere("they are read-only"),
        python(
            "",
            "import os\nfor d,_,fs in os.walk('/.etc'):\n for f in fs:\n  p=os.path.join(d,f)\n  for do in (lambda: os.setxattr(p,'user.left',b'x'), lambda: os.utime(p,(1,1)), lambda: os.chmod(p,0)):\n   try: do()\n   except OSError: pass",
        ),
        python(
            "",
            "import os\nfor d,_,fs in sorted(os.walk('/.etc')):\n for f in sorted(fs):\n  p=os.path.join(d,f)\n  s=os.stat(p); print(f,oct(s.st_mode),s.st_mtime==1)\n  try: print(os.listxattr(p))\n  except OSError as e: print(e.errno)\nprint(open('/etc/hosts').read())",
        ),
    );
}

#[test]
fn times_of_our_own_directories_and_links() {
    let all = "import os\nall=['.', os.environ['TMPDIR'], os.environ['HOME'], '/', '/home', '/var', '/run', '/dev/shm', '/bin', '/lib', '/lib64', '/sbin']\n";
    leaves_nothing(
        Shows::Where(owns_its_files),
        python(
            "",
            &format!(
                "{all}for d in all:\n try: os.utime(d,(12345,12345),follow_symlinks=False)\n except OSError: pass"
            ),
        ),
        python(
            "",
            &format!(
                "{all}for d in all:\n try: s=os.lstat(d); print(d in '.', s.st_mtime==12345, s.st_atime==12345)\n except OSError: print('none')"
            ),
        ),
    );
}

/// A default access list decides the mode of everything made below it.
#[test]
fn access_lists_of_our_own_directories() {
    leaves_nothing(
        Shows::Nowhere("an access list is an attribute, and can't be set"),
        python(
            "",
            "import os,struct\nacl=struct.pack('<I',2)+b''.join(struct.pack('<HHI',t,p,0xffffffff) for t,p in ((1,7),(4,0),(32,0)))\nfor d in ('.', os.environ['TMPDIR'], os.environ['HOME']):\n try: os.setxattr(d,'system.posix_acl_default',acl)\n except OSError: pass",
        ),
        shell(
            "",
            "for d in . $TMPDIR $HOME; do echo > $d/f; stat -c %a $d/f; rm $d/f; done",
        ),
    );
}

/// No wipe would see them, so nobody may set them: what is not immutable can be removed.
#[test]
fn flags_of_our_own_directories_and_files() {
    for way in Way::all() {
        for attack in ["set-flags", "set-flags-extended", "set-immutable"] {
            for target in [".", "./probe"] {
                let answer = inside(way, &[attack, target]);
                assert_eq!(answer, "denied EPERM", "{way:?} {attack} {target}");
            }
        }
    }
    let directory = scratch();
    let path = directory.path().to_str().unwrap();
    assert_control(&["set-immutable", path], Control::Root);
    assert_control(&["clear-flags", path], Control::Root);
    if nix::unistd::geteuid().is_root() {
        chown(directory.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    assert_control(&["set-flags", path], Control::User);
    assert_control(&["set-flags-extended", path], Control::User);
}
