/* SPDX-License-Identifier: MIT */
/* Text of SVG: what XML gives a meaning to loses it, and what is cut is cut between characters. */
#include "fixture.h"

#include "output/svg.h"

static void expect(const char *s, unsigned int columns, const char *want)
{
	_cleanup_free_ char *got = NULL;
	struct catch c;
	FILE *out = catch_open(&c);

	if (columns)
		svg_text_cut(out, s, columns);
	else
		svg_text(out, s);
	got = catch_text(&c);
	assert_string_equal(got, want);
}

static void markup_is_escaped(void **state)
{
	expect("a<b> & \"c\" 'd'", 0, "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
	expect("]]>", 0, "]]&gt;");
	expect("", 0, "");
}

static void what_xml_cannot_hold_is_replaced(void **state)
{
	expect("\x01\x1f\x7f\n\t", 0, "?????");
	expect("\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", 0, "??\xef\xbf\xbd");
	expect("\xff\x80z\xc3", 0, "?z?");
	expect("\xe5\x86", 0, "?"); /* the end is not run past */
	expect("\xf0\x9f\x90", 3, "?");
	expect("\xe5z", 0, "?z");
}

static void columns_are_counted(void **state)
{
	expect("abcdef", 6, "abcdef");
	expect("abcdef", 5, "abcd…");
	expect("abcdef", 1, "…");
	expect("<<<<", 4, "&lt;&lt;&lt;&lt;");
	expect("<<<<", 3, "&lt;&lt;…");
	expect("na\xc3\xafve", 5, "na\xc3\xafve");
	expect("\xe5\x86\x85\xe5\xad\x98", 4, "\xe5\x86\x85\xe5\xad\x98");
	expect("\xe5\x86\x85\xe5\xad\x98", 3, "\xe5\x86\x85…");
	expect("\xe5\x86\x85\xe5\xad\x98", 2, "…");
	expect("\xf0\x9f\x90\x8d!", 3, "\xf0\x9f\x90\x8d!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(markup_is_escaped),
		cmocka_unit_test(what_xml_cannot_hold_is_replaced),
		cmocka_unit_test(columns_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
