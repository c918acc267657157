"""The libraries that Kubernetes adds: their functions, values and errors."""

from typing import Any

import pytest

from cluster.api import cel
from cluster.api.cel import authorization, types

ENVIRONMENT = cel.Environment({"d": types.DYN})


def value(text: str) -> Any:
    return cel.compile(text, ENVIRONMENT).run({"d": {"s": "10.1.2.3", "q": "1Gi", "l": [3, 1]}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # strings
        ("'abc'.charAt(1)", "b"),
        ("'abc'.charAt(3)", ""),
        ("'hello'.indexOf('l')", 2),
        ("'hello'.indexOf('l', 3)", 3),
        ("'hello'.indexOf('x')", -1),
        ("'hello'.lastIndexOf('l')", 3),
        ("'hello'.lastIndexOf('l', 2)", 2),
        ("'AbÉ'.lowerAscii()", "abÉ"),
        ("'abé'.upperAscii()", "ABé"),
        ("'hello'.replace('l', 'L')", "heLLo"),
        ("'hello'.replace('l', 'L', 1)", "heLlo"),
        ("'ab'.replace('', '-')", "-a-b-"),
        ("'a,b,c'.split(',')", ["a", "b", "c"]),
        ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
        ("'a,b'.split(',', 0)", []),
        ("'abc'.split('')", ["a", "b", "c"]),
        ("'hello'.substring(2)", "llo"),
        ("'hello'.substring(1, 3)", "el"),
        ("'  a '.trim()", "a"),
        ("['a', 'b'].join('-')", "a-b"),
        ("['a', 'b'].join()", "ab"),
        ("[].join('x')", ""),
        ("strings.quote('a\"\\n')", '"a\\"\\n"'),
        # format
        ("'%d of %s'.format([dyn(3), 'x'])", "3 of x"),
        ("'%.2f'.format([1.005])", "1.00"),
        ("'%e'.format([1234.5])", "1.234500e+03"),
        ("'%b %o %x %X'.format([5, 8, 255, 255])", "101 10 ff FF"),
        ("'%x'.format(['ab'])", "6162"),
        ("'%s'.format([[1, 2]])", "[1, 2]"),
        ("'%s'.format([{'b': 1, 'a': 2}])", "{a: 2, b: 1}"),
        ("'100%%'.format([])", "100%"),
        ("'%s %s'.format([dyn(true), dyn(null)])", "true null"),
        # lists and sets
        ("[1, 2, 2].isSorted()", True),
        ("[2, 1].isSorted()", False),
        ("[1, 2].sum()", 3),
        ("[1.5, 1.0].sum()", 2.5),
        ("[3, 1].min()", 1),
        ("['a', 'b'].max()", "b"),
        ("[1, 2, 1].indexOf(1)", 0),
        ("[1, 2, 1].lastIndexOf(1)", 2),
        ("[1].indexOf(3)", -1),
        ("d.l.sum()", 4),
        ("d.l.min()", 1),
        ("[duration('1s'), duration('2s')].sum() == duration('3s')", True),
        ("sets.contains([1, 2], [2, 2])", True),
        ("sets.equivalent([1, 1], [1])", True),
        ("sets.intersects([1], [2])", False),
        # regular expressions
        ("'abc 123 45'.find('[0-9]+')", "123"),
        ("'abc'.find('[0-9]+')", ""),
        ("'1 22 333'.findAll('[0-9]+')", ["1", "22", "333"]),
        ("'1 22 333'.findAll('[0-9]+', 2)", ["1", "22"]),
        # quantities
        ("quantity('1Gi').isGreaterThan(quantity('1G'))", True),
        ("quantity(d.q).asInteger()", 2**30),
        ("quantity('500m').isInteger()", False),
        ("quantity('50k') == quantity('50000')", True),
        ("quantity('1').add(quantity('500m')).asApproximateFloat()", 1.5),
        ("quantity('3').sub(5).sign()", -1),
        ("quantity('1').compareTo(quantity('2'))", -1),
        ("isQuantity('1.3Gi')", True),
        ("isQuantity('x')", False),
        # addresses
        ("ip(d.s).family()", 4),
        ("ip('::1').isLoopback()", True),
        ("isIP('1.2.3')", False),
        ("isIP('::ffff:1.2.3.4')", False),
        ("isIP('fe80::1%eth0')", False),
        ("string(ip('2001:DB8::1'))", "2001:db8::1"),
        ("ip.isCanonical('2001:DB8::1')", False),
        ("ip('224.0.0.1').isLinkLocalMulticast()", True),
        ("ip('169.254.1.1').isLinkLocalUnicast()", True),
        ("ip('10.0.0.1').isGlobalUnicast()", True),
        ("ip('0.0.0.0').isUnspecified()", True),
        ("cidr('10.0.0.0/8').containsIP(d.s)", True),
        ("cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))", False),
        ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", True),
        ("cidr('10.0.0.0/8').containsCIDR('10.0.0.0/7')", False),
        ("cidr('10.1.2.3/8').prefixLength()", 8),
        ("string(cidr('10.1.2.3/8').masked())", "10.0.0.0/8"),
        ("cidr('10.1.2.3/8').ip() == ip('10.1.2.3')", True),
        ("isCIDR('10.0.0.0')", False),
        ("isCIDR('10.0.0.0/255.0.0.0')", False),
        # URLs
        (
            "url('https://u@example.com:80/a b?k=v&k=w'.replace(' ', '%20')).getHost()",
            "example.com:80",
        ),
        ("url('https://[::1]:80/').getHostname()", "::1"),
        ("url('https://a:80/').getPort()", "80"),
        ("url('https://a/x?k=v&k=w').getQuery()", {"k": ["v", "w"]}),
        ("url('/path').getScheme()", ""),
        ("url('https://a/p%20q').getEscapedPath()", "/p%20q"),
        ("isURL('https://a')", True),
        ("isURL('a')", False),
        ("isURL('http://[')", False),
        ("isURL('')", False),
        # formats
        ("format.dns1123Label().validate('a-b').hasValue()", False),
        ("format.dns1123Label().validate('A').hasValue()", True),
        ("format.named('uuid').hasValue()", True),
        ("format.named('x').hasValue()", False),
        ("format.uuid().validate('x').value()", ["does not match the UUID format"]),
        ("format.dns1123LabelPrefix().validate('a-').hasValue()", False),
        ("format.date().validate('2021-01-01').hasValue()", False),
        # versions
        ("semver('1.2.3').isLessThan(semver('1.10.0'))", True),
        ("semver('1.0.0-rc.1').compareTo(semver('1.0.0'))", -1),
        ("isSemver('1.2')", False),
        ("semver('v1.2', true).minor()", 2),
        ("semver('1.0.0+a') == semver('1.0.0+b')", True),
        # time
        ("timestamp('2024-02-29T23:30:15.250Z').getDate()", 29),
        ("timestamp('2024-02-29T23:30:00Z').getMonth()", 1),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfMonth()", 28),
        ("timestamp('2024-02-29T23:30:00Z').getDayOfYear()", 59),
        ("timestamp('2024-03-03T00:00:00Z').getDayOfWeek()", 0),
        ("timestamp('2024-02-29T23:30:00Z').getHours('+01:00')", 0),
        ("timestamp('2024-02-29T23:30:15.250Z').getMilliseconds()", 250),
        ("duration('90m').getHours()", 1),
        ("duration('1h') + duration('30m') == duration('90m')", True),
        ("duration('-1.5s') < duration('0s')", True),
        ("timestamp('2024-01-01T01:00:00+01:00') == timestamp('2024-01-01T00:00:00Z')", True),
        (
            "timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z')"
            " == duration('24h')",
            True,
        ),
        ("int(timestamp('1970-01-01T00:01:00Z'))", 60),
        ("string(timestamp(0))", "1970-01-01T00:00:00Z"),
        ("string(duration('1h30m'))", "5400s"),
        ("jsonpatch.escapeKey('a/b~c')", "a~1b~0c"),
    ],
)
def test_functions_have_values(text: str, expected: Any) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'a'.charAt(5)", "index out of range: 5"),
        ("'a'.substring(2)", "index out of range: 2"),
        ("'abc'.substring(2, 1)", "invalid substring range. start: 2, end: 1"),
        ("[0].filter(x, x > 0).min()", "min called on empty list"),
        ("quantity('x')", "quantities must match"),
        ("quantity('500m').asInteger()", "cannot convert value to integer"),
        ("ip('::ffff:1.2.3.4')", 'IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed'),
        ("url('x y')", "URL parse error during conversion from string: "),
        (
            "'%d'.format(['a'])",
            "error during formatting: decimal clause can only be used on integers, was given",
        ),
        ("'%s'.format([])", "index 0 out of range"),
        ("timestamp(253402300800)", "timestamp overflow"),
        ("duration('2562047h') + duration('2562047h')", "duration overflow"),
        (
            "timestamp('2024-01-01T00:00:00Z').getHours('Nowhere/No')",
            "unknown time zone Nowhere/No",
        ),
        (
            "timestamp('2024-01-01T00:00:00Z').getHours('../../etc/passwd')",
            "unknown time zone ../../etc/passwd",
        ),
    ],
)
def test_functions_refuse(text: str, said: str) -> None:
    with pytest.raises(cel.EvaluationError) as caught:
        value(text)
    assert str(caught.value).startswith(said)


def test_the_authorizer_is_asked() -> None:
    asked: list[authorization.Question] = []

    def ask(question: authorization.Question) -> authorization.Decision:
        asked.append(question)
        return authorization.Decision(question.verb == "get", "because")

    environment = cel.Environment(
        {
            "authorizer": authorization.AUTHORIZER,
            "authorizer.requestResource": authorization.RESOURCE_CHECK,
        }
    )
    bindings = {
        "authorizer": authorization.Authorizer(ask),
        "authorizer.requestResource": authorization.ResourceCheck(
            ask, authorization.Question(resource="pods", namespace="n")
        ),
    }

    def run(text: str) -> Any:
        return cel.compile(text, environment).run(bindings)

    chain = "authorizer.group('apps').resource('deployments').subresource('scale').namespace('n')"
    assert run(f"{chain}.name('x').check('get').allowed()") is True
    assert run("authorizer.requestResource.check('delete').allowed()") is False
    assert run("authorizer.path('/healthz').check('get').reason()") == "because"
    assert run("authorizer.serviceAccount('n', 's').group('').resource('p').check('get').allowed()")
    assert asked[0] == authorization.Question(
        verb="get", group="apps", resource="deployments", subresource="scale", namespace="n",
        name="x",
    )  # fmt: skip
    assert (asked[1].resource, asked[1].verb, asked[2].path) == ("pods", "delete", "/healthz")
    assert asked[3].service_account == ("n", "s")
    checks = " && ".join(["authorizer.path('/a').check('get').allowed()"] * 3)
    with pytest.raises(cel.CostExceeded):
        run(checks)
