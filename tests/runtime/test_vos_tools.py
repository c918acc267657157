"""find, xargs, sums, expr, stat, dd and the other small programs in containers.

What is expected in the first table is what busybox 1.35 printed for the same commands.
"""

import pytest
from vosworld import sh

FILES = (
    "mkdir /w; cd /w; "
    r'printf "alpha 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n" > f; '
    r'printf "root:x:0:0:root:/root:/bin/sh\nnobody:x:99:99::/:/bin/false\n" > p; '
)
PRINTED = [
    (
        "mkdir -p d/e; touch d/a.txt d/e/b.txt d/c.log; find d -name '*.txt' | sort",
        'd/a.txt\nd/e/b.txt\n',
    ),
    (
        'mkdir -p d/e; touch d/a.txt d/e/b.txt; find d -type d | sort; find d -maxdepth '
        '1 -type f',
        'd\nd/e\nd/a.txt\n',
    ),
    ('mkdir d; touch d/x d/y; find d -type f -exec echo {} \\; | sort', 'd/x\nd/y\n'),
    ('mkdir d; echo a > d/x; find d -type f -size +0c', 'd/x\n'),
    ("mkdir d; touch d/x d/y.z; find d ! -name '*.z' -type f", 'd/x\n'),
    ("mkdir -p a/b c; touch a/b/f c/f; find . -path './a/*' -name f", './a/b/f\n'),
    ('mkdir -p a/b; touch a/b/f a/g; find a -name b -prune -o -type f -print', 'a/g\n'),
    ('find p f -empty', ''),
    ('echo a b c | xargs echo x', 'x a b c\n'),
    ('echo a b c | xargs -n 1 echo', 'a\nb\nc\n'),
    ('echo a b c | xargs -n 2 echo', 'a b\nc\n'),
    ("printf 'a b\\nc\\n' | xargs -I{} echo '<{}>'", '<a b>\n<c>\n'),
    ("printf 'a\\0b c\\0' | xargs -0 -n1 echo", 'a\nb c\n'),
    ('echo \'"a b" c\' | xargs -n1 echo', 'a b\nc\n'),
    ('true | xargs -r echo none', ''),
    ('echo x | xargs false; echo $?', '123\n'),
    ('echo hello | md5sum', 'b1946ac92492d2347c6235b4d2611184  -\n'),
    (
        'echo hello | sha256sum',
        '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  -\n',
    ),
    ('sha1sum f | cut -c1-10', 'de566a08fd\n'),
    ('md5sum f > s; md5sum -c s', 'f: OK\n'),
    ('echo hello world | base64', 'aGVsbG8gd29ybGQK\n'),
    ('echo aGVsbG8K | base64 -d', 'hello\n'),
    ('seq 30 | base64 | base64 -d | tail -1', '30\n'),
    ("printf 'abc\\n' | od -c", '0000000   a   b   c  \\n\n0000004\n'),
    (
        "printf 'abc\\n' | hexdump -C",
        '00000000  61 62 63 0a                                       |abc.|\n00000004\n',
    ),
    ("printf 'hello' | xxd", '00000000: 6865 6c6c 6f                             hello\n'),
    ("printf 'abcd' | od -An -tx1", ' 61 62 63 64\n'),
    ('tac f', 'delta -4.5 w\n\ngamma 3 z z\nbeta 22 y\nalpha 1 x\n'),
    ('rev p', 'hs/nib/:toor/:toor:0:0:x:toor\neslaf/nib/:/::99:99:x:ydobon\n'),
    (
        'nl f',
        '     1\talpha 1 x\n     2\tbeta 22 y\n     3\tgamma 3 z z\n       \n     4\tdel'
        'ta -4.5 w\n',
    ),
    ('paste -s -d, f', 'alpha 1 x,beta 22 y,gamma 3 z z,,delta -4.5 w\n'),
    ('echo abcdefgh | fold -w 3', 'abc\ndef\ngh\n'),
    ("printf 'a\\tb\\n' | expand -t 4", 'a   b\n'),
    ('cmp f f; echo $?', '0\n'),
    ('cp f g; echo more >> g; cmp -s f g; echo $?', '1\n'),
    ('expr 1 + 2', '3\n'),
    ('expr 2 \\* 3 + 4', '10\n'),
    ('expr 7 / 2', '3\n'),
    ('expr 7 % 3', '1\n'),
    ('expr 5 \\> 3', '1\n'),
    ('expr a = b; echo $?', '0\n1\n'),
    ('expr length hello', '5\n'),
    ('expr substr hello 2 3', 'ell\n'),
    ("expr hello : 'h\\(.*\\)o'", 'ell\n'),
    ("expr hello : 'h.*l'", '4\n'),
    ('expr index hello l', '3\n'),
    ('expr \\( 1 + 2 \\) \\* 3', '9\n'),
    ('expr 0; echo $?', '0\n1\n'),
    ('factor 12 97', '12: 2 2 3\n97: 97\n'),
    ("stat -c '%s %F %n' f", '46 regular file f\n'),
    ("stat -c '%a' f", '644\n'),
    (
        'chmod 600 f; stat -c %a f; chmod u+x,g+r f; stat -c %a f; chmod a=r f; stat -c '
        '%a f; chmod +x f; stat -c %a f',
        '600\n740\n444\n555\n',
    ),
    ("ln -s f l; stat -c %N l; stat l | head -1", "'l' -> 'f'\n  File: 'l' -> 'f'\n"),
    (
        "ln -s f l; touch -h -d '2020-01-02 03:04:05' l; ls -l l | cut -c45-; ls -l f | grep -c :",
        'Jan  2  2020 l -> f\n1\n',
    ),
    ("ln -s gone l; touch -h l; ls; touch -h new; ls new", 'f\nl\np\nnew\n'),
    ("touch -d '2020-01-02 03:04:05' f; ls -l f | cut -c45-", 'Jan  2  2020 f\n'),
    ("touch -d '2190-01-02 03:04:05' f; ls -l f | cut -c45-", 'Jan  2  2190 f\n'),
    (
        'n=$(stat -c %i f); mv f g; [ $(ls -i g | awk \'{print $1}\') = $n ] && echo same; '
        'find . -inum $n; [ $(stat -c %i p) = $n ] || ls -li p | grep -c "^ .*-rw"',
        'same\n./g\n1\n',
    ),
    ('mkdir d; touch d/x; chmod -R 700 d; stat -c %a d d/x', '700\n700\n'),
    ('dd if=f of=g bs=4 count=2 2>/dev/null; cat g', 'alpha 1 '),
    ('dd if=f bs=1 skip=6 count=3 2>/dev/null', '1 x'),
    ('dd if=/dev/zero bs=1k count=3 2>/dev/null | wc -c', '3072\n'),
    ('printf abc | dd of=o 2>/dev/null; cat o', 'abc'),
    ('truncate -s 3 f; cat f', 'alp'),
    ('gzip f; ls; gunzip f.gz; head -1 f', 'f.gz\np\nalpha 1 x\n'),
    ('gzip -c f | zcat | head -1', 'alpha 1 x\n'),
    ('gzip < f | gunzip -c | tail -1', 'delta -4.5 w\n'),
    ('realpath /etc/../etc', '/etc\n'),
    ('basename $(mktemp -d) | wc -c', '11\n'),
    ('t=$(mktemp); echo x > $t; cat $t', 'x\n'),
    ('strings p | head -1', 'root:x:0:0:root:/root:/bin/sh\n'),
    ('uniq -c f | head -2', '      1 alpha 1 x\n      1 beta 22 y\n'),
    ('ls -1 | wc -l', '2\n'),
    ('yes | head -2', 'y\ny\n'),
    ('seq 1 3 | while read x; do echo $((x*2)); done', '2\n4\n6\n'),
    ('date -u -d @0 +%Y-%m-%d', '1970-01-01\n'),
    ('date -d @86400 +%s', '86400\n'),
    ("touch -d '2020-01-01 00:00:00' f; stat -c %Y f", '1577836800\n'),
    ('seq 0.5 0.5 2', '0.5\n1.0\n1.5\n2.0\n'),
    ('seq -w 8 10', '08\n09\n10\n'),
    ('seq -s, 3', '1,2,3\n'),
    ("printf '%s-%s\\n' a b c", 'a-b\nc-\n'),
    ('head -c 3 f; echo', 'alp\n'),
    ('tail -c 4 f', '5 w\n'),
    ('wc -l < f', '5\n'),
    ('cat f | head -n -2', 'alpha 1 x\nbeta 22 y\ngamma 3 z z\n'),
    ('tail -n +3 f', 'gamma 3 z z\n\ndelta -4.5 w\n'),
    ('env -u HOME true; echo $?', '0\n'),
    ('test f -nt p; echo $?', '1\n'),
    ('id -u; id -un', '0\nroot\n'),
    ('uname -m', 'x86_64\n'),
    ("cut -d' ' -f2- f", '1 x\n22 y\n3 z z\n\n-4.5 w\n'),
    ('cut -c-3 f', 'alp\nbet\ngam\n\ndel\n'),
    ('sort -u f | head -2', '\nalpha 1 x\n'),
    ('tee a b < f > /dev/null; cmp a b && echo same', 'same\n'),
    ('command -v awk >/dev/null && echo yes', 'yes\n'),
]  # fmt: skip


SETTINGS = [
    ("sysctl -w vm.max_map_count=262144; cat /proc/sys/vm/max_map_count",
     "vm.max_map_count = 262144\n262144\n"),
    ("sysctl net.core.somaxconn; sysctl -qw net/core/somaxconn=9; sysctl -n net.core.somaxconn",
     "net.core.somaxconn = 4096\n9\n"),
    ("sysctl -w no.such=1 2>&1; echo $?", "sysctl: error: 'no.such' is an unknown key\n1\n"),
    ("ulimit -n; ulimit -n 65536 && umask 077 && umask", "1048576\n0077\n"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), SETTINGS)
def test_settings_of_the_kernel_and_limits(script: str, out: str) -> None:
    assert sh(script).out == out


@pytest.mark.parametrize(("script", "out"), PRINTED)
def test_as_busybox_prints(script: str, out: str) -> None:
    assert sh(FILES + script).out == out


OWN = [
    ("ln -s gone/x l; ln -s f m; find . -lname 'gone*'; find . -lname f", "./l\n./m\n"),
    ("find /w -type f -exec grep -l root {} +", "/w/p\n"),
    ("mkdir d; touch d/x; find d -name x -delete; ls d", ""),
    ("free -m | awk 'NR==2{print $1, $2}'; nproc", "Mem: 8192\n4\n"),
    ("df -h / | awk 'NR==2{print $1, $NF}'", "overlay /\n"),
    (
        "head -c 5000 /dev/null > a; dd if=/dev/zero of=b bs=1k count=9 2>/dev/null; du -sk b",
        "12\tb\n",
    ),
    ("top -bn1 | grep -c '^CPU:'", "1\n"),
    ("getent passwd root | cut -d: -f1; getent hosts web-0 | awk '{print $2}'", "root\nweb-0\n"),
    ("sleep 100 & pidof sleep | wc -w; pkill sleep; wait; pgrep sleep; echo $?", "1\n1\n"),
    ("watch -n 1 -t echo tick & sleep 2.5; kill $!", "tick\ntick\ntick\n"),
    ("diff -u f p | head -2 | cut -c1-5; diff f f; echo $?", "--- f\n+++ p\n0\n"),
    ("su -c 'echo as root'; chown -R 1000:1000 f; echo $?", "as root\n0\n"),
    (
        "date -d '2026-01-01 + x' ; echo $?; date -d '1 day ago' +%F; date -d tomorrow +%d",
        "1\n2025-12-31\n02\n",
    ),
    ("timeout 1 watch -n 10 true > /dev/null; echo $?", "143\n"),
    ("chmod u=q f; echo $?", "1\n"),
]


@pytest.mark.parametrize(("script", "out"), OWN)
def test_what_a_container_prints(script: str, out: str) -> None:
    assert sh(FILES + script).out == out


REFUSED = [
    ("find . -nonsense", "find: unrecognized: -nonsense\n"),
    ("find . -name", "find: -name requires an argument\n"),
    ("xargs -Z", "xargs: unrecognized option: Z\n"),
    ("expr 1 / 0", "expr: division by zero\n"),
    ("dd if=nothing", "dd: /nothing: No such file or directory\n"),
    ("dd bs=x", "dd: invalid number 'x'\n"),
    ("echo x | gunzip", "gunzip: invalid magic\n"),
    ("echo '!' | base64 -d", "base64: invalid input\n"),
    ("dd if=/dev/zero bs=1M count=1000 | cat > /big", "sh: write error: No space left on device"),
]


@pytest.mark.parametrize(("script", "said"), REFUSED)
def test_what_cannot_be_says_so(script: str, said: str) -> None:
    assert said in sh(script).err


def test_a_small_archive_does_not_unpack_to_everything() -> None:
    found = sh("dd if=/dev/zero bs=1M count=40 2>/dev/null | gzip -9 | gunzip -c | wc -c")
    assert "out of memory" in found.err
