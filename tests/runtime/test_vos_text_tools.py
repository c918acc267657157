"""awk, sed, grep, sort, uniq, tr and cut in containers.

What is expected is what busybox 1.35 printed for the same commands.
"""

import pytest
from vosworld import sh

FILES = (
    "mkdir /w; cd /w; "
    r'printf "alpha 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n" > f; '
    r'printf "root:x:0:0:root:/root:/bin/sh\nnobody:x:99:99::/:/bin/false\n" > p; '
)
PRINTED = [
    ("awk '{print $1}' f", 'alpha\nbeta\ngamma\n\ndelta\n'),
    ("awk '{print $NF, NF, NR}' f", 'x 3 1\ny 3 2\nz 4 3\n 0 4\nw 3 5\n'),
    ("awk -F: '{print $1, $7}' p", 'root /bin/sh\nnobody /bin/false\n'),
    (
        "awk -F: -v OFS=- '{$1=$1; print}' p",
        'root-x-0-0-root-/root-/bin/sh\nnobody-x-99-99--/-/bin/false\n',
    ),
    ("awk 'BEGIN{for(i=0;i<5;i++) s=s i; print s}'", '01234\n'),
    ("awk 'NR==2' f", 'beta 22 y\n'),
    ("awk 'NR==2,NR==4' f", 'beta 22 y\ngamma 3 z z\n\n'),
    ('awk \'/a$/{print "m"} !/a/{print "n"}\' f', 'n\n'),
    ("awk '{s+=$2} END{print s, s/NR}' f", '21.5 4.3\n'),
    ("awk '$2>2' f", 'beta 22 y\ngamma 3 z z\n'),
    ('awk \'$2 ~ /^[0-9]+$/ {print $1 ":" $2}\' f', 'alpha:1\nbeta:22\ngamma:3\n'),
    ("awk 'length>5' f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\ndelta -4.5 w\n'),
    ('awk \'{a[$1]=$2} END{for(k in a) n++; print n, a["beta"], ("x" in a)}\' f', '5 22 0\n'),
    (
        'awk \'{printf "%-10s|%5d|%.2f\\n", $1, $2, $2}\' f',
        'alpha     |    1|1.00\nbeta      |   22|22.00\ngamma     |    3|3.00\n         '
        ' |    0|0.00\ndelta     |   -4|-4.50\n',
    ),
    (
        'awk \'BEGIN{print length("hello"), substr("hello",2,3), index("hello","l"), tou'
        'pper("abc") tolower("DEF")}\'',
        '5 ell 3 ABCdef\n',
    ),
    ('awk \'BEGIN{n=split("a,b,c",x,","); print n, x[1] x[3]}\'', '3 ac\n'),
    (
        'awk \'{gsub(/[aeiou]/,"<&>"); print}\' f',
        '<a>lph<a> 1 x\nb<e>t<a> 22 y\ng<a>mm<a> 3 z z\n\nd<e>lt<a> -4.5 w\n',
    ),
    ('awk \'{sub("a","A",$1); print $1}\' f', 'Alpha\nbetA\ngAmma\n\ndeltA\n'),
    ('awk \'BEGIN{print match("foobar",/o+/), RSTART, RLENGTH}\'', '2 2 2\n'),
    ('awk \'BEGIN{print 1==1.0, "a"<"b", 10<9, "10"<"9"}\'', '1 1 0 1\n'),
    (
        "awk 'BEGIN{while(i<3){i++; if(i==2)continue; print i}; do{i--}while(i>0); print i}'",
        '1\n3\n0\n',
    ),
    ("awk 'function f(n){return n<2?n:f(n-1)+f(n-2)} BEGIN{print f(15)}'", '610\n'),
    ('awk \'BEGIN{exit 3} END{print "end"}\'; echo $?', 'end\n3\n'),
    ('echo "a b c" | awk \'{$2=""; print; print NF}\'', 'a  c\n3\n'),
    ('echo "a b c" | awk \'{NF=2; print; $5="e"; print; print NF}\'', 'a b\na b   e\n5\n'),
    ('echo 5 | awk \'{print $1*2, $1 ".", $1==5, $1=="5"}\'', '10 5. 1 1\n'),
    ('awk \'BEGIN { "x" ; print 1 " " -1; print 1 -1; print 2 " " 3*4 }\'', '1-1\n0\n2 12\n'),
    (
        'awk \'BEGIN{printf "%s %d%% %c %c %x %o %e\\n", "s", 42.9, 65, "hello", 255, 8,'
        " 12345.678}'",
        's 42% A h ff 10 1.234568e+04\n',
    ),
    ('printf \'a,b;c,d;\' | awk \'BEGIN{RS=";";FS=","}{print $2}\'', 'b\nd\n'),
    ('awk -f /dev/null f', ''),
    (
        'awk \'{print > "out"} END{close("out"); while((getline l < "out")>0) n++; print n}\' f',
        '5\n',
    ),
    ("awk 'NR==1{next} {print; exit}' f", 'beta 22 y\n'),
    ("awk '{ print $1, $2 }; END { print NR }' f", 'alpha 1\nbeta 22\ngamma 3\n \ndelta -4.5\n5\n'),
    (
        'awk \'BEGIN { if (!("x" in a)) print "no"; a["x",1]=2; for (k in a) {split(k,p,'
        'SUBSEP); print p[1], p[2]}; delete a["x",1]; print length(a)}\'',
        'no\nx 1\n0\n',
    ),
    (
        'awk \'\n# comment\nBEGIN {\n  x = 1   # set\n  if (x == 1)\n    print "one"\n  '
        'else\n    print "other"\n}\n\'',
        'one\n',
    ),
    ('awk \'BEGIN{a="x"; b = a++ + 1; print a, b, ++c, c--, c}\'', '1 1 1 1 0\n'),
    ('awk \'$1=="beta"{f=1} f\' f', 'beta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ('awk \'{print NR%2?"odd":"even"}\' f', 'odd\neven\nodd\neven\nodd\n'),
    ('awk \'BEGIN{print -3%2, int(-3.7), int("12abc"), 1/4}\'', '-1 -3 12 0.25\n'),
    ("awk 'BEGIN{print length()}' f", '0\n'),
    ("awk 'END{print $0, NF}' f", 'delta -4.5 w 3\n'),
    ("awk '{print FILENAME, FNR}' f p", 'f 1\nf 2\nf 3\nf 4\nf 5\np 1\np 2\n'),
    ("awk '{print x}' x=1 f x=2 p", '1\n1\n1\n1\n1\n2\n2\n'),
    ('awk \'BEGIN{print ENVIRON["HOMEX"] "."; print substr("x",2)}\'', '.\n\n'),
    ('awk \'BEGIN{print "a\\tb\\\\n\\"q\\""}\'', 'a\tb\\n"q"\n'),
    (
        'awk \'BEGIN { printf "%5s|%-5s|%05d|%+d\\n", "ab", "ab", 42, 42 }\'',
        '   ab|ab   |00042|+42\n',
    ),
    ("awk '/alpha/,/gamma/{print NR}' f", '1\n2\n3\n'),
    ('awk \'BEGIN{$0="a b c"; print NF, $2; $3="z"; print}\'', '3 b\na b z\n'),
    ("awk '{print $(NF-1)}' p", 'root:x:0:0:root:/root:/bin/sh\nnobody:x:99:99::/:/bin/false\n'),
    ("awk -F'[: ]' '{print $2}' p", 'x\nx\n'),
    ("awk -F'\\t' '{print $1}' f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("awk -F, '{print $1}' f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ('awk \'BEGIN{print index("abc","")}\'', '0\n'),
    ("awk 'BEGIN{print 1>2}' ; ls", '2\nf\np\n'),
    ("awk 'BEGIN{print (1>2)}'", '0\n'),
    ('awk \'BEGIN{print toupper(substr("abc",1,1)) substr("abc",2)}\'', 'Abc\n'),
    ("awk '!seen[$1]++' f f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    (
        "awk '{a[NR]=$0} END{for(i=NR;i>0;i--) print a[i]}' f",
        'delta -4.5 w\n\ngamma 3 z z\nbeta 22 y\nalpha 1 x\n',
    ),
    ("sed 's/a/A/' f", 'Alpha 1 x\nbetA 22 y\ngAmma 3 z z\n\ndeltA -4.5 w\n'),
    ("sed 's/a/A/g' f", 'AlphA 1 x\nbetA 22 y\ngAmmA 3 z z\n\ndeltA -4.5 w\n'),
    ("sed 's/a/A/2' f", 'alphA 1 x\nbeta 22 y\ngammA 3 z z\n\ndelta -4.5 w\n'),
    ("sed -n '2p' f", 'beta 22 y\n'),
    ("sed -n '2,3p' f", 'beta 22 y\ngamma 3 z z\n'),
    ("sed -n '/beta/,/delta/p' f", 'beta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed -n '$p' f", 'delta -4.5 w\n'),
    ("sed '1d' f", 'beta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed '/^$/d' f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\ndelta -4.5 w\n'),
    ("sed -e 's/a/1/' -e 's/b/2/' f", '1lpha 1 x\n2et1 22 y\ng1mma 3 z z\n\ndelt1 -4.5 w\n'),
    (
        "sed 's/\\([a-z]*\\) \\([0-9]*\\)/\\2 \\1/' f",
        '1 alpha x\n22 beta y\n3 gamma z z\n\n delta-4.5 w\n',
    ),
    (
        "sed -E 's/([a-z]+) ([0-9]+)/\\2 \\1/' f",
        '1 alpha x\n22 beta y\n3 gamma z z\n\ndelta -4.5 w\n',
    ),
    (
        "sed 's|/bin|/usr&|' p",
        'root:x:0:0:root:/root:/usr/bin/sh\nnobody:x:99:99::/:/usr/bin/false\n',
    ),
    ("sed -n 's/alpha/X/p' f", 'X 1 x\n'),
    ("sed '2i\\inserted' f", 'alpha 1 x\ninserted\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed '2a\\appended' f", 'alpha 1 x\nbeta 22 y\nappended\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed '2c\\changed' f", 'alpha 1 x\nchanged\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed '/beta/!d' f", 'beta 22 y\n'),
    ("sed -n '/x/{p;=}' f", 'alpha 1 x\n1\n'),
    ("sed '1,2{s/a/Q/;s/1/9/}' f", 'Qlpha 9 x\nbetQ 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed 'y/abc/xyz/' f", 'xlphx 1 x\nyetx 22 y\ngxmmx 3 z z\n\ndeltx -4.5 w\n'),
    ("sed '$!N;s/\\n/ /' f", 'alpha 1 x beta 22 y\ngamma 3 z z \ndelta -4.5 w\n'),
    ("sed ':a;N;$!ba;s/\\n/,/g' f", 'alpha 1 x,beta 22 y,gamma 3 z z,,delta -4.5 w\n'),
    ("sed -n '1!G;h;$p' f", 'delta -4.5 w\n\ngamma 3 z z\nbeta 22 y\nalpha 1 x\n'),
    ('sed 2q f', 'alpha 1 x\nbeta 22 y\n'),
    ("sed 's/[0-9]\\{1,\\}/N/g' f", 'alpha N x\nbeta N y\ngamma N z z\n\ndelta -N.N w\n'),
    (
        "sed 's/x*/-/g' f",
        '-a-l-p-h-a- -1- -\n-b-e-t-a- -2-2- -y-\n-g-a-m-m-a- -3- -z- -z-\n-\n-d-e-l-t-a-'
        ' ---4-.-5- -w-\n',
    ),
    ('sed \'s/.*/"&"/\' f', '"alpha 1 x"\n"beta 22 y"\n"gamma 3 z z"\n""\n"delta -4.5 w"\n'),
    ("sed 's/a\\|e/_/g' f", '_lph_ 1 x\nb_t_ 22 y\ng_mm_ 3 z z\n\nd_lt_ -4.5 w\n'),
    ("sed 's/[[:space:]]/_/g' f", 'alpha_1_x\nbeta_22_y\ngamma_3_z_z\n\ndelta_-4.5_w\n'),
    ("sed -i 's/alpha/ALPHA/' f; cat f", 'ALPHA 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed 's/\\./,/' f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4,5 w\n'),
    ("sed '/alpha/,+1d' f", 'gamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed 's/A/b/I' f", 'blpha 1 x\nbetb 22 y\ngbmma 3 z z\n\ndeltb -4.5 w\n'),
    ("sed 's/$/!/' f", 'alpha 1 x!\nbeta 22 y!\ngamma 3 z z!\n!\ndelta -4.5 w!\n'),
    ("sed 's/^/> /' f", '> alpha 1 x\n> beta 22 y\n> gamma 3 z z\n> \n> delta -4.5 w\n'),
    ("sed '/alpha/s//BETA/' f", 'BETA 1 x\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed 's/a/\\n/' f", '\nlpha 1 x\nbet\n 22 y\ng\nmma 3 z z\n\ndelt\n -4.5 w\n'),
    ("sed '/beta/q' f", 'alpha 1 x\nbeta 22 y\n'),
    ("sed -n '/alpha/n;p' f", 'beta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ("sed 'n;d' f", 'alpha 1 x\ngamma 3 z z\ndelta -4.5 w\n'),
    ("sed '$d' f", 'alpha 1 x\nbeta 22 y\ngamma 3 z z\n\n'),
    (
        "sed 's/\\(a\\)\\(l\\)/\\2\\1/;t;s/b/B/' f",
        'lapha 1 x\nBeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n',
    ),
    ("sed 's,x,\\,,g' f", 'alpha 1 ,\nbeta 22 y\ngamma 3 z z\n\ndelta -4.5 w\n'),
    ('grep a f', 'alpha 1 x\nbeta 22 y\ngamma 3 z z\ndelta -4.5 w\n'),
    ('grep -v a f', '\n'),
    ('grep -c a f', '4\n'),
    ("grep -n 'a$' f", ''),
    ('grep -i ALPHA f', 'alpha 1 x\n'),
    ("grep -E 'alpha|delta' f", 'alpha 1 x\ndelta -4.5 w\n'),
    ("grep -E '^[a-z]+ [0-9]+ .$' f", 'alpha 1 x\nbeta 22 y\n'),
    ("grep '[0-9][0-9]' f", 'beta 22 y\n'),
    ("grep -o '[0-9]*' f", '1\n22\n3\n4\n5\n'),
    ('grep -w 3 f', 'gamma 3 z z\n'),
    ("grep -x 'beta 22 y' f", 'beta 22 y\n'),
    ('grep -e alpha -e beta f', 'alpha 1 x\nbeta 22 y\n'),
    ("grep -F '.' f", 'delta -4.5 w\n'),
    ("grep '\\.' f", 'delta -4.5 w\n'),
    ('grep -q nothing f; echo $?', '1\n'),
    ('grep -l root f p', 'p\n'),
    ('grep -h root f p', 'root:x:0:0:root:/root:/bin/sh\n'),
    ('grep root f p', 'p:root:x:0:0:root:/root:/bin/sh\n'),
    ('grep -A1 alpha f', 'alpha 1 x\nbeta 22 y\n'),
    ('grep -B1 gamma f', 'beta 22 y\ngamma 3 z z\n'),
    ('grep -r root .', './p:root:x:0:0:root:/root:/bin/sh\n'),
    ("grep 'a\\{1\\}m' f", 'gamma 3 z z\n'),
    ("grep -E 'a{2}|m{2}' f", 'gamma 3 z z\n'),
    ("grep '^$' f", '\n'),
    ('grep -m1 a f', 'alpha 1 x\n'),
    ('grep -L root f p', 'f\n'),
    ('grep -c . f', '4\n'),
    ("grep -E '(al|be)' f", 'alpha 1 x\nbeta 22 y\n'),
    ("grep -E '\\bz\\b' f", 'gamma 3 z z\n'),
    ("echo 'a+b' | grep 'a+b'", 'a+b\n'),
    ("echo 'a*b' | grep -F 'a*b'", 'a*b\n'),
    ('sort f', '\nalpha 1 x\nbeta 22 y\ndelta -4.5 w\ngamma 3 z z\n'),
    ('sort -k2n f', 'delta -4.5 w\n\nalpha 1 x\ngamma 3 z z\nbeta 22 y\n'),
    ('sort -k2,2nr f', 'beta 22 y\ngamma 3 z z\nalpha 1 x\n\ndelta -4.5 w\n'),
    ('sort -t: -k3n p', 'root:x:0:0:root:/root:/bin/sh\nnobody:x:99:99::/:/bin/false\n'),
    ('sort -r f', 'gamma 3 z z\ndelta -4.5 w\nbeta 22 y\nalpha 1 x\n\n'),
    ("printf '10\\n9\\n2\\n1\\n' | sort", '1\n10\n2\n9\n'),
    ("printf '10\\n9\\n2\\n1\\n' | sort -n", '1\n2\n9\n10\n'),
    ("printf 'v1.10\\nv1.9\\n' | sort -V", 'v1.9\nv1.10\n'),
    ("printf 'b\\na\\nb\\n' | sort | uniq -c", '      1 a\n      2 b\n'),
    ("printf 'b\\na\\nb\\n' | sort | uniq -d", 'b\n'),
    ("printf 'b\\na\\nb\\n' | sort | uniq -u", 'a\n'),
    ('echo hello | tr a-z A-Z', 'HELLO\n'),
    ('echo hello | tr -d l', 'heo\n'),
    ('echo heelloo | tr -s lo', 'heelo\n'),
    ("echo 'a b' | tr ' ' '\\n'", 'a\nb\n'),
    ("echo hello123 | tr -cd '0-9\\n'", '123\n'),
    ("echo hello | tr '[:lower:]' '[:upper:]'", 'HELLO\n'),
    ('echo a:b:c | cut -d: -f1,3', 'a:c\n'),
    ('echo abcdef | cut -c2-4', 'bcd\n'),
]  # fmt: skip


@pytest.mark.parametrize(("script", "out"), PRINTED)
def test_as_busybox_prints(script: str, out: str) -> None:
    assert sh(FILES + script).out == out


REFUSED = [
    ("awk 'BEGIN{print 1'", "awk: syntax error"),
    ("awk 'BEGIN{system(\"ls\")}'", "awk: system() is not emulated"),
    ("awk 'BEGIN{\"ls\" | getline}'", "awk: commands in pipes are not emulated"),
    ("awk 'BEGIN{print 1/0}'", "awk: division by zero"),
    ("awk 'function f(n){return f(n+1)} BEGIN{f(1)}'", "awk: function calls are nested too deeply"),
    ("awk 'function f(){while(1);} BEGIN{f()}'", "awk: function 'f' runs too long"),
    ("awk '{print}' /nothing", "awk: can't open file /nothing: No such file or directory"),
    ("sed 's/a/b'", "sed: -e expression #1: unterminated pattern"),
    ("sed 'k'", "sed: -e expression #1: unsupported command k"),
    ("sed '{p'", "sed: -e expression #1: unmatched '{'"),
    ("echo a | sed 's/a/\\1/'", "sed: -e expression #1: invalid reference \\1 on s command's RHS"),
    ("sed -E 's/(/b/'", "sed: -e expression #1: Unmatched ( or \\("),
    ("grep '['", "grep: Unmatched [, [^, [:, [., or [="),
    ("grep '\\(a\\)\\1'", "grep: back-references in patterns are not emulated"),
    ("grep -Z x", "grep: unrecognized option: Z"),
]


@pytest.mark.parametrize(("script", "said"), REFUSED)
def test_what_cannot_be_says_so(script: str, said: str) -> None:
    found = sh(script)
    assert found.err.startswith(said)
    assert found.code != 0 or "echo" in script


def test_patterns_take_time_in_proportion() -> None:
    evil = "a" * 5000
    found = sh(
        f"echo {evil} | grep -cE '(a|a)*(a|aa)*(a*)*b'; echo {evil} | sed -E 's/(a*)*b//' | wc -c"
    )
    assert found.out.split() == ["0", "5001"]


def test_an_endless_awk_lets_others_run() -> None:
    found = sh("awk 'BEGIN{while(1) x++}' & sleep 5; echo still; kill $!")
    assert found.out == "still\n"


def test_awk_memory_has_a_bound() -> None:
    found = sh("awk 'BEGIN{s=\"x\"; while(1) s = s s}'")
    assert found.err == "awk: out of memory\n"
