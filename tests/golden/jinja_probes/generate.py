"""Writes golden.json: probes rendered by Jinja2 (3.1.6) in the environment that transformers gives to chat templates.

    python3 -m venv v && v/bin/pip install jinja2 && v/bin/python generate.py
"""
import datetime, json, os
import jinja2
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

CONTEXT = {
    "n": 7, "z": 0, "neg": -13, "x": 2.5, "t": True, "f": False, "none": None, "s": "Hello World", "e": "",
    "u": "żółć Straße ΑΣ ﬁ 日本 😀", "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "d": {"b": 1, "a": [1, 2, {"k": None}], "C": True},
    "rows": [{"name": "x", "v": 3, "g": "p"}, {"name": "Y", "v": 1, "g": "q", "h": {"z": 9}}, {"name": "z", "v": 2, "g": "P"}],
    "lines": "one\ntwo\r\nthree\n\nfive", "tab": "a\tb  c\u00a0d", "long": "the quick brown fox jumps over the lazy dog",
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "tool_calls": []}],
}

PROBES = r"""
{{ 1_000 + 0x1f + 0b101 + 0o17 }}|{{ 1e3 }}|{{ 1.5e-5 }}|{{ 12345678901234567890.0 }}|{{ 0.0001 }}|{{ 0.00001 }}|{{ 1e15 }}|{{ 123456789.125 }}
{{ 7 // -2 }}|{{ -7 // -2 }}|{{ 7 % -3 }}|{{ -7 % -3 }}|{{ 7.5 // 2 }}|{{ -7.5 % 2 }}|{{ 2 ** 0.5 }}|{{ 2 ** -2 }}|{{ 0 ** 0 }}
{{ true + true }}|{{ -true }}|{{ +n }}|{{ true * 'ab' }}|{{ 3 * [0] }}|{{ (1, 2) + (3,) }}|{{ (1,) * 2 }}|{{ 'a' * 0 }}
{{ 1 == true }}|{{ 1.0 == true }}|{{ 'a' == 'a' }}|{{ [1, 2] == [1.0, 2] }}|{{ (1, 2) == [1, 2] }}|{{ none == none }}|{{ missing == missing2 }}|{{ {} == {} }}
{{ [1, 2] < [1, 3] }}|{{ (1, 'a') < (1, 'b') }}|{{ 'B' < 'a' }}|{{ 1 < 2 <= 2 != 3 }}|{{ 3 > 2 > 2 }}|{{ 1 < 1.5 }}|{{ 'é' > 'z' }}
{{ 1 in [true] }}|{{ none in [none] }}|{{ 'a' in {'a': 1} }}|{{ 1 in {1.0: 'x'} }}|{{ '' in 'abc' }}|{{ 2 in range(3) }}|{{ 'x' in missing }}
{{ a.b if a is defined else 'no' }}|{{ 'x' if false else 'y' if true else 'z' }}|{{ ('x' if false) is defined }}|{{ [1 if t else 2, 3] }}
{{ not t or t }}|{{ not (t and f) }}|{{ f or none or 'x' }}|{{ t and '' or 'q' }}|{{ n and l and d and 'all' }}|{{ not missing }}
{{ -2 ** 2 }}|{{ 2 ** -1 }}|{{ -n | abs }}|{{ (-n) | abs }}|{{ - n + 1 }}|{{ not n == 7 }}|{{ 1 - -1 }}|{{ 2 - + 1 }}
{{ 'a' ~ 'b' * 2 ~ 1 + 2 }}|{{ 1 ~ 2 + 3 }}|{{ 'x' ~ [1] ~ {'a': none} ~ missing }}|{{ 1 ~ 2 == '12' }}
{{ s[1] }}|{{ s[-3:] }}|{{ s[:-3] }}|{{ s[::3] }}|{{ s[5:2:-1] }}|{{ s[100:] }}|{{ s[-100:2] }}|{{ u[0:4] }}|{{ u[-1] }}|{{ l[-1] }}|{{ l[::2] }}|{{ (1,2,3)[1:] }}
{{ s.5 }}|{{ l.0 }}|{{ d.a.2.k }}|{{ d['a'][-1]['k'] }}|{{ rows[1]['h'].z }}|{{ rows.1.h.z }}|{{ 'abc'[1]|upper }}|{{ [[1, 2], [3]][0][1] }}
{{ d.keys() }}|{{ d.items() }}|{{ d.values() }}|{{ {'a': 1}.items()|list }}|{{ d|length }}|{{ d|list }}|{{ d|first }}|{{ d|last is defined }}
{{ {1: 'a', 'b': [true, none], 2.5: (1,)} }}|{{ {'a': 1, 'a': 2} }}|{{ dict([('a', 1), ('b', 2)], c=3) }}|{{ dict() }}
{{ 'it\'s' }}|{{ ['it\'s', "say \"hi\"", 'both \' and "'] }}|{{ ['\t\r\n\\', '\x00\x7f', 'é', '\u200b', '😀'] }}
{{ lines.splitlines() }}|{{ lines.splitlines(true) }}|{{ lines.split() }}|{{ lines.split('\n') }}|{{ lines|length }}
{{ ' a  b '.split() }}|{{ ' a  b '.split(' ') }}|{{ 'a  b c'.split(none, 1) }}|{{ 'a  b c '.rsplit(none, 1) }}|{{ 'a,b,c'.rsplit(',', 1) }}|{{ ''.split() }}|{{ ''.split(',') }}|{{ 'aXXbXX'.split('XX') }}
{{ 'a=b=c'.partition('=') }}|{{ 'a=b=c'.rpartition('=') }}|{{ 'abc'.partition('=') }}|{{ 'abc'.rpartition('=') }}
{{ '  x '.strip() }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ 'xyxaxy'.strip('xy') }}|{{ tab.split() }}|{{ '\u2003x\u3000'.strip() }}|{{ 'éaé'.strip('é') }}
{{ 'abcabc'.find('c') }}|{{ 'abcabc'.rfind('c') }}|{{ 'abcabc'.find('x') }}|{{ 'abcabc'.find('a', 1) }}|{{ 'abcabc'.find('c', 3, 5) }}|{{ u.find('日') }}|{{ 'abcabc'.count('bc') }}|{{ 'aaaa'.count('aa') }}|{{ 'abc'.count('') }}|{{ 'abc'.rindex('c') }}
{{ 'abc'.center(9) }}|{{ 'abc'.center(8, '*') }}|{{ 'ab'.center(5, '-') }}|{{ 'abc'.ljust(6, '.') }}|{{ 'abc'.rjust(6) }}|{{ '42'.zfill(5) }}|{{ '-42'.zfill(5) }}|{{ 'é'.ljust(3, '.') }}
{{ 'hELLO wORLD'.title() }}|{{ 'hELLO'.capitalize() }}|{{ 'Hello'.swapcase() }}|{{ u.upper() }}|{{ u.lower() }}|{{ u.title() }}|{{ "they're bill's".title() }}|{{ "they're bill's"|title }}|{{ 'a-b (c) [d] {e} <f> g_h'|title }}
{{ 'abc'.isalpha() }}{{ 'ab1'.isalnum() }}{{ '12'.isdigit() }}{{ '½'.isnumeric() }}{{ '½'.isdigit() }}{{ '²'.isdigit() }}{{ ' \t'.isspace() }}{{ ''.isspace() }}{{ 'Ab'.istitle() }}{{ 'AB1'.isupper() }}{{ 'ab1'.islower() }}{{ '1'.isupper() }}{{ 'é'.isalpha() }}
{{ 'abc'.startswith('ab') }}|{{ 'abc'.startswith(('x', 'a')) }}|{{ 'abc'.endswith('') }}|{{ 'abc'.removeprefix('ab') }}|{{ 'abc'.removesuffix('bc') }}|{{ 'abc'.removeprefix('x') }}
{{ 'aaa'.replace('a', 'b', 2) }}|{{ 'aaa'.replace('', '-') }}|{{ 'aaa'.replace('', '-', 2) }}|{{ 'éa'|replace('é', 'e') }}|{{ 'a.b'|replace('.', '') }}|{{ 123|replace('2', 'x') }}
{{ '%s|%r|%d|%5d|%-5d|%05d|%+d|% d' % ('a', 'b', 3.9, 42, 42, 42, 42, 42) }}
{{ '%x|%X|%#x|%o|%c|%%|%5s|%-5s|%.2s' % (255, 255, 255, 8, 'z', 'ab', 'ab', 'abcdef') }}
{{ '%f|%.2f|%10.3f|%e|%.1e|%g|%g|%g' % (1.5, 2.345, 3.14159, 12345.678, 0.00012, 0.0001, 1e10, 1234567.0) }}
{{ '%(a)s-%(b)d' % {'a': 1, 'b': 2} }}|{{ '%s' % 'x' }}|{{ '%s' % [1, 2] }}|{{ '%s' % d }}|{{ '%s %s'|format('a', 'b') }}|{{ '%(k)s'|format(k='v') }}
{{ '{} {}'.format(1, 'a') }}|{{ '{1}{0}'.format('a', 'b') }}|{{ '{x}{y}'.format(x=1, y=none) }}|{{ '{0[a]} {0[b]}'.format({'a': 1, 'b': 2}) }}|{{ '{{}}'.format() }}|{{ '{!r}'.format('q') }}
{{ '{:>6}|{:<6}|{:^6}|{:*^7}|{:06d}|{:+}|{:,}|{:x}|{:#x}|{:b}'.format('a', 'b', 'c', 'd', 42, 5, 1234567, 255, 255, 5) }}
{{ '{:.2f}|{:8.3f}|{:e}|{:.0f}|{:%}|{:.1%}|{:g}|{}|{:,.2f}'.format(3.14159, 2.5, 12345.6, 2.5, 0.25, 0.256, 0.0001, 1.0, 1234567.891) }}
{{ w|sort }}|{{ w|sort(true) }}|{{ w|sort(case_sensitive=true, reverse=true) }}|{{ rows|sort(attribute='name')|map(attribute='name')|list }}|{{ rows|sort(attribute='g,v')|map(attribute='v')|list }}|{{ {'b': 1, 'a': 2}|sort }}|{{ 'hello'|sort }}
{{ rows|groupby('g')|map('first')|list }}|{% for g in rows|groupby('g') %}{{ g.grouper }}={{ g.list|map(attribute='v')|join('+') }};{% endfor %}|{{ rows|groupby('h.z', default='none')|map(attribute=0)|list if false else '' }}
{{ rows|groupby('g', case_sensitive=true)|map(attribute='grouper')|list }}|{{ rows|map(attribute='v')|sort|join(',') }}|{{ rows|sum('v') }}|{{ rows|map(attribute='v')|sum(start=10) }}
{{ ['a', 'A', 'b']|unique|list }}|{{ ['a', 'A']|unique(true)|list }}|{{ rows|unique(attribute='g')|map(attribute='v')|list }}|{{ [1, 1.0, true]|unique|list }}
{{ [3, 1, 2]|max }}|{{ ['b', 'C']|min }}|{{ ['b', 'C']|min(true) }}|{{ rows|max(attribute='v') }}|{{ []|max is defined }}|{{ []|first is defined }}|{{ 'abc'|last }}|{{ ''|first is defined }}
{{ range(5)|batch(2)|list }}|{{ range(5)|batch(2, '-')|list }}|{{ range(7)|slice(3)|list }}|{{ range(7)|slice(3, '-')|list }}|{{ []|slice(2)|list }}
{{ range(10)|select('even')|list }}|{{ range(6)|reject('divisibleby', 3)|list }}|{{ [0, 1, '', 'a', none]|select|list }}|{{ [0, 1]|reject|list }}|{{ rows|selectattr('h')|map(attribute='name')|list }}|{{ rows|rejectattr('v', 'in', [1, 2])|map(attribute='name')|list }}
{{ ['a', 'b']|map('replace', 'a', 'x')|list }}|{{ [1.25, 2.5]|map('round', 1)|list }}|{{ rows|map(attribute='h', default={})|list }}|{{ [[1, 2], [3, 4]]|map(attribute=1)|list }}|{{ ['x']|map('default', 'q')|list }}
{{ [1, 2]|join }}|{{ [1, none, 'a']|join('-') }}|{{ 'abc'|join('.') }}|{{ rows|join(',', attribute='name') }}|{{ rows|join(attribute='v') }}|{{ {'a': 1, 'b': 2}|join(',') }}
{{ '42'|int }}|{{ ' 42 '|int }}|{{ '-4'|int }}|{{ '4.9'|int }}|{{ 4.9|int }}|{{ -4.9|int }}|{{ 'x'|int(7) }}|{{ none|int }}|{{ 'ff'|int(base=16) }}|{{ '0x1A'|int(0, 16) }}|{{ true|int }}|{{ '1_000'|int }}
{{ '1.5'|float }}|{{ '1e3'|float }}|{{ 'x'|float }}|{{ 'x'|float(1.25) }}|{{ 3|float }}|{{ none|float }}|{{ true|float }}|{{ ' 2.5 '|float }}
{{ 2.5|round }}|{{ 3.5|round }}|{{ 2.675|round(2) }}|{{ 1234.5|round(-2) }}|{{ 5|round }}|{{ 2.1|round(0, 'ceil') }}|{{ 2.19|round(1, 'floor') }}|{{ -2.5|round }}|{{ 0.1|round(3) }}
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb\n\nc'|indent(2, true, true) }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\n'|indent(2) }}|{{ ''|indent(2, true) }}|{{ lines|indent(1) }}
{{ long|truncate(20, false, '…') }}|{{ long|truncate(9) }}|{{ long|truncate(38) }}|{{ long|truncate(37, leeway=0) }}|{{ long|truncate(10, true, '') }}|{{ 'abcdefghij'|truncate(5, false, '...', 0) }}
{{ 'one two-three four_five 6'|wordcount }}|{{ 'x'|center(4) }}|{{ 'x'|center }}|{{ ' a '|trim }}|{{ 'xax'|trim('x') }}|{{ 5|string|length }}|{{ 'aé'|reverse }}|{{ [1, 2]|reverse|list }}|{{ (1, 2)|list }}
{{ '<a href="x">b</a> &amp;  c'|striptags }}|{{ 'a/b c?d=é&e'|urlencode }}|{{ {'a b': 'c/d', 'e': 1}|urlencode }}|{{ [('x', 'y z')]|urlencode }}|{{ '<&>"\''|e }}
{{ d|dictsort }}|{{ d|dictsort(true) }}|{{ {'a': 2, 'B': 1}|dictsort(false, 'value') }}|{{ {'a': 2, 'b': 1}|dictsort(reverse=true) }}|{{ d|items|list }}|{{ missing|items|list }}
{{ missing|default('a') }}|{{ ''|default('a') }}|{{ ''|default('a', true) }}|{{ 0|d('z', boolean=true) }}|{{ none|d('q') }}|{{ missing.x|default('a') if false else 'ok' }}|{{ d.nope|default({'k': 1}) }}
{{ d|tojson }}|{{ d|tojson(indent=0) }}|{{ d|tojson(indent=1) }}|{{ [1, [2, []], {}]|tojson(indent=2) }}|{{ d|tojson(sort_keys=true) }}|{{ {'b': 1, 'a': {'d': 2, 'c': 3}}|tojson(indent=2, sort_keys=true) }}
{{ u|tojson }}|{{ u|tojson(ensure_ascii=true) }}|{{ d|tojson(separators=(',', ':')) }}|{{ '\u2028\x01\x1f\x7f/"\\\b\f'|tojson }}|{{ {1: 2, true: 3, none: 4, 2.5: 5}|tojson }}|{{ (1, 2)|tojson }}|{{ 1e100|tojson }}|{{ d|tojson(indent='--') }}
{{ n is odd }}{{ n is even }}{{ 6 is divisibleby(3) }}{{ 6 is divisibleby 4 }}{{ t is boolean }}{{ 1 is boolean }}{{ t is integer }}{{ 1.0 is float }}{{ 1 is number }}{{ '1' is number }}{{ none is none }}{{ missing is none }}
{{ s is string }}{{ l is sequence }}{{ d is mapping }}{{ l is mapping }}{{ (1,) is sequence }}{{ 5 is iterable }}{{ 'a' is iterable }}{{ range is callable }}{{ s is callable }}{{ 'a' is lower }}{{ 'Ab' is lower }}{{ 'AB' is upper }}{{ d.keys() is sequence }}{{ range(2) is sequence }}
{{ 1 is eq 1 }}{{ 1 is ne 2 }}{{ 1 is lt 2 }}{{ 1 is le 1 }}{{ 2 is gt 1 }}{{ 2 is ge 3 }}{{ 2 is greaterthan(1) }}{{ 'a' is in ['a'] }}{{ 1 is not in [2] }}{{ none is sameas none }}{{ l is sameas l }}{{ [1] is sameas [1] }}{{ 'upper' is filter }}{{ 'nope' is filter }}{{ 'odd' is test }}
{{ x is defined and x is float }}|{{ n is not defined or n is odd }}|{{ not n is odd }}|{{ n is odd and not z is odd }}|{{ (n is odd) ~ '!' }}|{{ [n is odd, z is even] }}|{{ 'yes' if n is odd else 'no' }}
{% for k, v in d.items() %}{{ k }}:{{ v }}{% if not loop.last %}, {% endif %}{% endfor %}|{% for c in 'añb' %}{{ c }}.{% endfor %}|{% for k in d %}{{ k }}{% endfor %}|{% for x in missing %}x{% else %}none{% endfor %}
{% for i in range(3) %}{% for j in range(2) %}{{ loop.index }}{{ loop.depth }}{% endfor %}{{ loop.index0 }}{{ loop.depth0 }};{% endfor %}
{% for i in l %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }}{{ loop.cycle('a', 'b') }}{{ loop.length }} {% endfor %}
{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }}{% endfor %}|{% for i in range(6) if i is odd %}{{ loop.index }}:{{ i }}{{ ',' if not loop.last }}{% else %}no{% endfor %}|{% for i in l if i > 9 %}x{% else %}empty{% endfor %}
{% for item in [[1, [2, [3]]], 4] recursive %}{% if item is iterable %}({{ loop(item) }}){% else %}{{ item }}@{{ loop.depth }}{% endif %}{% endfor %}
{% for a, (b, c) in [(1, (2, 3)), (4, (5, 6))] %}{{ a }}{{ b }}{{ c }};{% endfor %}|{% for a, in [(1,), (2,)] %}{{ a }}{% endfor %}|{% for x in 1, 2, 3 %}{{ x }}{% endfor %}|{% for x in [1, 2] if x > 1 recursive %}{{ x }}{% endfor %}
{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i > 4 %}{% break %}{% endif %}{% for j in range(9) %}{% if j > i %}{% break %}{% endif %}{{ j }}{% endfor %};{% endfor %}
{% for i in range(3) %}{% set q %}a{% if i == 1 %}{% endif %}b{{ i }}{% endset %}{{ q }}{% with r = i %}{% if r == 1 %}{% continue %}{% endif %}{{ r }}{% endwith %}{% endfor %}|{{ q is defined }}
{% set v = 1 %}{% if t %}{% set v = 2 %}{% endif %}{{ v }}|{% for i in [1] %}{% set v = 3 %}{{ v }}{% endfor %}{{ v }}|{% with %}{% set v = 4 %}{{ v }}{% endwith %}{{ v }}|{% set v = v + 1 %}{{ v }}
{% set a, b = 1, [2, 3] %}{{ a }}{{ b }}|{% set a = 1, 2 %}{{ a }}|{% set a = (1) %}{{ a }}
{% set ns = namespace(a=1, b=[1]) %}{% for i in l %}{% set ns.a = ns.a + i %}{% set ns.b = ns.b + [i] %}{% set ns.c = i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.c }}|{{ ns.nope is defined }}|{% set ns = namespace({'q': 1}, r=2) %}{{ ns.q + ns.r }}
{% set ns = namespace(x=1) %}{% set other = ns %}{% set other.x = 2 %}{{ ns.x }}|{{ ns == other }}|{{ ns['x'] is defined }}|{{ namespace() == namespace() }}
{% set b %}  x{{ n }} {% endset %}[{{ b }}]|{% set b | trim | upper %}  abc {% endset %}[{{ b }}]|{% set b | replace('a', 'o') %}banana{% endset %}{{ b }}
{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(1, c=9) }}{{ m(b=5, a=4) }}{{ m() }}{{ m.name }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, k=3) }}|{% macro q(a) %}{{ a }}{{ varargs|length }}{% endmacro %}{{ q(1, 2, 3) }}
{% macro list(items, tag='li') %}<{{ tag }}>{% for i in items %}{{ caller(i) if caller is defined else i }}{% endfor %}</{{ tag }}>{% endmacro %}{% call(i) list([1, 2]) %}[{{ i }}]{% endcall %}
{% macro inner() %}({{ caller() }}){% endmacro %}{% macro outer() %}{% call inner() %}{{ n }}{% endcall %}{% endmacro %}{{ outer() }}{{ outer()|upper }}
{% set y = 1 %}{% macro m() %}{{ y }}{% endmacro %}{% set y = 2 %}{{ m() }}|{% for y in [5] %}{{ m() }}{% endfor %}|{% macro k(y) %}{% set y = y ~ '!' %}{{ y }}{% endmacro %}{{ k('a') }}{{ y }}
{% macro deep(k) %}{{ k }}{% if k > 0 %}{{ deep(k - 1) }}{% endif %}{% endmacro %}{{ deep(5) }}|{% macro tree(x) %}{% for c in x %}{{ '(' ~ tree(c) ~ ')' }}{% endfor %}{% endmacro %}{{ tree([[], [[]]]) }}
{% for i in l %}{% macro show() %}{{ i }}{% endmacro %}{{ show() }}{% endfor %}|{{ show is defined }}|{% with i = 9 %}{% macro show() %}{{ i }}{% endmacro %}{{ show() }}{% endwith %}
{% filter upper %}a{{ s }}{% endfilter %}|{% filter replace('a', 'b')|trim %}  banana {% endfilter %}|{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}|{% with a = n %}{% with a = a + 1 %}{{ a }}{% endwith %}{{ a }}{% endwith %}
{% raw %}{{ x }}{% if %}{% endraw %}|{%- raw -%}  {{ y }}  {%- endraw -%}  |{# c {{ x }} #}|{#- d -#}  |{% block q %}{{ n }}{% endblock %}|{% block r %}{% endblock r %}
{{ '{{' }}|{{ '%}' }}|{{ {'a': {'b': 1}}['a'] }}|{{ {'a': {'b': {}}} }}|{{ "}}" }}|{% set q = '%}' %}{{ q }}|{{ [{}, {}]|length }}
{{ 'a' 'b' "c" }}|{{ '\101\u00e9\x41\q\/' }}|{{ "tab	in" }}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{% set _ = c.reset() %}{{ c.current }}|{% set j = joiner(', ') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}
{{ range(0) | list }}|{{ range(5, 0, -2) | list }}|{{ range(3) | length }}|{{ range(3)[1] }}|{{ range(10)[2:4] | list }}|{{ range(3) | last }}|{{ range(2) == range(2) }}
{{ messages[0]['role'] ~ messages[-1].content }}|{{ messages | selectattr('role', 'equalto', 'user') | list | length }}|{{ messages[1].tool_calls is defined and messages[1].tool_calls }}|{{ messages | map(attribute='content') | join('/') }}|{{ messages[5] is defined }}|{{ (messages | last).role }}|{{ messages[1:][0].role }}
{{ d.get('a')[0] }}|{{ d.get('nope', {}).get('x', 'y') }}|{{ d.copy() == d }}|{{ [1, 2, 1].count(1) }}|{{ [1, 2].index(2) }}|{{ 'x' if d.get('C') is true }}|{{ d['get'] is defined }}
{{ 'a' if not none else 'b' }}|{{ none }}|{{ none is none and 'z' }}|{{ [none, true] }}|{{ missing }}|{{ [missing] }}|{{ missing ~ 'x' }}|{{ missing|length }}|{{ missing|list }}|{{ missing|join('x') }}|{{ missing is string }}
{{ s | upper | lower | title | replace('H', 'J') | length }}|{{ (s | upper)[0] }}|{{ s.split()[0] | lower }}|{{ s | list | first }}|{{ (l | sort)[0] }}|{{ [s, 'b'] | map('lower') | join(',') | upper }}
{{ 10 | string ~ 5 }}|{{ 1 + 2 | string | int }}|{{ (1 + 2) | string }}|{{ 'abc' | length + 1 }}|{{ not 'abc' | length }}|{{ -1 | abs }}|{{ [1, 2] | length > 1 }}
{{ f(1) if f is callable else 'nc' }}|{{ n.__class__ is defined }}|{{ s['upper'] is defined }}|{{ s['upper']() }}|{{ ''.join(['a', 'b']) }}|{{ ', '.join(w) }}|{{ '-'.join('abc') }}
{%- set x1 = 1 -%}   a   {%- if t %} b {% endif -%}   c {{- ' d ' -}}   e
{% if t -%}   x   {%- elif f -%} y {%- else -%} z {%- endif %}!
{{+ n }}|{{-n}}|{{n}}
{{ missing.attr }}
{{ missing['x'] }}
{{ missing() }}
{{ missing + 1 }}
{{ -missing }}
{{ missing < 1 }}
{{ missing|int }}
{{ d.nope.deeper }}
{{ l.append(1) }}
{{ d.update({'a': 1}) }}
{{ d.pop('a') }}
{{ ''.__class__.__mro__ }}
{{ 1 + 'a' }}
{{ 'a' + 1 }}
{{ 'a' + none }}
{{ [1] + 'a' }}
{{ 'a' - 'b' }}
{{ {} + {} }}
{{ none + 1 }}
{{ 'a' * 'b' }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ 1.0 // 0 }}
{{ 0 ** -1 }}
{{ 1 in 5 }}
{{ 1 in 'abc' }}
{{ [] < 1 }}
{{ none < none }}
{{ {} < {} }}
{{ 5[0] }}{{ 5[0].x }}
{{ 5() }}
{{ s.x() }}
{{ s.find() }}
{{ s.find('a', 'b') }}
{{ s.upper(1) }}
{{ s.replace('a') }}
{{ s.strip(5) }}
{{ s.split('') }}
{{ s.index('q') }}
{{ ','.join([1, 2]) }}
{{ s.center(10, 'ab') }}
{{ 5|length }}
{{ none|length }}
{{ 5|list }}
{{ none|join }}
{{ [1, 'a']|sort }}
{{ [{}, {}]|sort }}
{{ [1, 'a']|max }}
{{ 5|first }}
{{ ['a']|sum }}
{{ [[1]]|sum }}
{{ d|dictsort(false, 'x') }}
{{ [1]|map('nope')|list }}
{{ [1]|select('nope')|list }}
{{ [1]|map|list }}
{{ s|upper(1) }}
{{ s|replace('a') }}
{{ s|nope }}
{{ s is nope }}
{{ s is divisibleby 2 }}
{{ n is divisibleby 0 }}
{{ missing|tojson }}
{{ range|tojson }}
{{ {1: range}|tojson }}
{{ {'a': [missing]}|tojson }}
{{ range() }}
{{ range(1, 2, 0) }}
{{ range('a') }}
{{ range(200000) }}
{{ range(1.5) }}
{{ '%d' % 'a' }}
{{ '%s %s' % 'a' }}
{{ '%s' % (1, 2) }}
{{ '%q' % 1 }}
{{ '%' % 1 }}
{{ '%(x)s' % {} }}
{{ '{}'.format() }}
{{ '{x}'.format() }}
{{ '{'.format() }}
{{ '{:d}'.format('a') }}
{{ '{:5q}'.format('a') }}
{{ dict(1) }}
{{ {[]: 1} }}
{{ {(1,): 1}[(1,)] if false else '' }}
{{ namespace(1) }}
{% set s.x = 1 %}
{% set missing.x = 1 %}
{% set a, b = 1 %}
{% set a, b = [1] %}
{% for a, b in [1] %}{% endfor %}
{% for a, b in [[1, 2, 3]] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none %}{% endfor %}
{% macro m(a) %}{{ a.b }}{% endmacro %}{{ m() }}
{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{% endmacro %}{{ m(b=1) }}
{% macro m(a) %}{% endmacro %}{{ m(1, a=1) }}
{% macro m() %}{% endmacro %}{% call m() %}x{% endcall %}
{{ caller() }}
{{ loop.index }}
{% for i in l %}{{ loop(l) }}{% endfor %}
{% break %}
{% for i in l %}{% endfor %}{% continue %}
{% if %}{% endif %}
{% if t %}{% else %}{% else %}{% endif %}
{% if t %}{% endfor %}
{% for i in %}{% endfor %}
{% for 1 in l %}{% endfor %}
{% for i l %}{% endfor %}
{% endif %}
{% set %}
{% set a %}
{% set a = %}
{% set 'a' = 1 %}
{% set none = 1 %}
{% macro m %}{% endmacro %}
{% macro 1() %}{% endmacro %}
{% macro m(1) %}{% endmacro %}
{% call x %}{% endcall %}
{% filter %}{% endfilter %}
{% filter nope %}{% endfilter %}
{% nope %}
{% %}
{{ }}
{{ 1 2 }}
{{ 1 + }}
{{ + }}
{{ (1 }}
{{ [1 }}
{{ {1 }}
{{ {1: } }}
{{ {1} }}
{{ 1) }}
{{ ] }}
{{ a. }}
{{ a.'b' }}
{{ a[ }}
{{ a[] }}
{{ f(a=1, 2) }}
{{ f(*) }}
{{ f(1 }}
{{ x | }}
{{ x | 5 }}
{{ x is }}
{{ x is not }}
{{ 1 is odd is even }}
{{ not }}
{{ x if }}
{{ 'abc }}
{{ "abc' }}
{{ 1 & 2 }}
{{ a ? b : c }}
{{ a = 1 }}
{{ a $ b }}
{{ unclosed
{% if t
{# never
{% raw %}x
{{ '\x4' }}
{{ '\u12' }}
{% include 'x' %}
{% import 'x' as y %}
{% extends 'x' %}
{{ raise_exception('no: ' ~ n) }}
{% if t %}{{ raise_exception("stop") }}{% endif %}
"""


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda format: datetime.datetime.now().strftime(format)
    return env


# Probes of more than one line.
BLOCKS = ["\n".join(b) for b in (
    ["{% if t %}", "yes", "{% else %}", "no", "{% endif %}", "end"],
    ["   {% if t %}", "      indented", "   {% endif %}", "   after {{ n }}", ""],
    ["{% for i in l %}", "  - {{ i }}", "{% endfor %}", "x {% if t %} y", " {% endif %} z"],
    ["  {%+ if t %}keep{%+ endif %}", "   {%+ if t +%}", "keep newline{% endif %}"],
    ["a {#- x -#} b {# y #}", "  {# gone #}", "c", "{{ n -}}", "   joined {{- n }}"],
    ["{% set a = 1 %}", "", "{% set b = 2 %}", "two lines", "", ""],
    ["{% raw %}", "  raw {{ text }}", "  {% endraw %}", "tail"],
    ["a", "  {%- if t -%}", "  b", "  {%- endif -%}", "c"],
    ["{{ 'a", "b' }}", "\t{% for i in l %}", "\t{{ i }}", "\t{% endfor %}"],
    ["{%- for m in messages %}", "    {{- m.role }}", "{%- endfor %}", "", ""],
    ["{% macro m(a) %}", "  <{{ a }}>", "{% endmacro %}", "{{ m(1) }}", "{{- m(2) }}"],
    ["{% set x %}", "block", "{% endset %}", "[{{ x }}]"],
    ["one\r", "{% if t %}\r", "two\r", "{% endif %}\r", "three\r", ""],
    ["{{ 'multi", "line' }}"], ["{{ 'a\\", "b' }}", "|{# two", "lines #}|", "{{ 1 +", "   2 }}"],
)]


def main():
    env = environment()
    cases = []
    lines = PROBES.strip("\n").split("\n")
    for template in [line for line in lines if line.strip()] + BLOCKS:
        case = {"template": template}
        try:
            case["expected"] = env.from_string(template).render(**CONTEXT)
        except Exception as e:
            case["error"] = type(e).__name__
            if type(e) is jinja2.exceptions.TemplateError: case["message"] = str(e)
        cases.append(case)
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "golden.json"), "w") as f:
        json.dump({"about": f"probes rendered by Jinja2 {jinja2.__version__}", "context": CONTEXT, "cases": cases}, f, ensure_ascii=False, indent=0)
        f.write("\n")


main()
