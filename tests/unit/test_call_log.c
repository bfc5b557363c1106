/* SPDX-License-Identifier: MIT */
/* The lines of logs of calls. Ground truth of the text: a log that cPyMemTrace wrote. */
#include "call_log_fixture.h"

#include <inttypes.h>

/* The line after the header's two. */
static const char *body(const char *text)
{
	const char *line = strchr(text, '\n') + 1;

	return strchr(line, '\n') + 1;
}

/* --- text ----------------------------------------------------------------------------------- */

/* What stands in a line of the log that cPyMemTrace wrote; names have no blanks there. */
static bool parse(const char *line, const char *kind, struct call_log_event *e, char file[128],
		  char function[128])
{
	char k[8], what[16];
	long change, rss_change;
	double clock;

	if (sscanf(line, "%7s %" SCNu64 " +%ld %lf %15s %127s %" SCNd32 " %127s %" SCNd64 " %ld", k,
		   &e->nr, &change, &clock, what, file, &e->line, function, &e->rss,
		   &rss_change) != 10)
		return false;
	e->cpu_ns = (int64_t)(clock * 1e9 + 500);
	e->returns = strcmp(what, "RETURN") == 0;
	e->file = file;
	e->function = function;
	return strcmp(k, kind) == 0;
}

/* FRST and LAST are of the line that made and ended the profiler, which are no events here. */
static void rename_lines(char *text)
{
	char *p;

	while ((p = strstr(text, " LINE     ")))
		memcpy(p, " CALL     ", 10);
}

static void what_cpymemtrace_wrote_comes_out_again(void **state)
{
	_cleanup_free_ char *text = fixture_read("cpymemtrace/0.6.3-python-3.12.1.log", NULL);
	char file[128], function[128];
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;
	struct call_log_event e;
	unsigned int nr = 0, last = 0;

	rename_lines(text);
	for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
		memset(&e, 0, sizeof(e));
		if (parse(line, "FRST:", &e, file, function) ||
		    parse(line, "NEXT:", &e, file, function)) {
			assert_int_equal(call_log_write(l, &e, NULL), 0);
			nr++;
		} else if (parse(line, "LAST:", &e, file, function)) {
			assert_int_equal(call_log_last(l, &e, NULL), 0);
			last++;
		}
	}
	assert_int_equal(nr, 4);
	assert_int_equal(last, 1);
	holds(p->log, text);
}

#define BLANKS_70 "                                                                      "

static void every_column_has_its_width(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;
	struct call_log_event e = first;

	assert_int_equal(call_log_write(l, &e, NULL), 0);
	e = (struct call_log_event){.nr = 1,
				    .cpu_ns = 114000000,
				    .returns = true,
				    .function = "a_name_of_forty_characters_is_not_cut_off",
				    .file = "x",
				    .line = 123456,
				    .rss = 4096};
	assert_int_equal(call_log_write(l, &e, NULL), 0);
	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	holds(p->log,
	      "SOF\n"
	      "HDR: Event        dEvent  Clock        What     File" BLANKS_70
	      "       Line Function"
	      "                                  RSS         dRSS\n"
	      "FRST: 0            +0      0.113143     CALL     app/t1.py" BLANKS_70
	      "     8 grow                                 17371136     17371136\n"
	      "NEXT: 1            +1      0.114000     RETURN   x" BLANKS_70
	      "          123456 a_name_of_forty_characters_is_not_cut_off         4096         4096\n"
	      "LAST: 1            +0      0.114000     RETURN   x" BLANKS_70
	      "          123456 a_name_of_forty_characters_is_not_cut_off         4096            0\n"
	      "EOF\n");
}

/* "NEXT 2 +1 4096;" of each line: what the rules say. */
static void rules(const char *path, const char *expected)
{
	_cleanup_free_ char *text = contents(path);
	char found[1024] = "";
	size_t n = 0;

	for (const char *line = body(text); strncmp(line, "EOF\n", 4) != 0;
	     line = strchr(line, '\n') + 1) {
		const char *change = strchr(line, '\n');
		char kind[8] = "", devent[24] = "";
		uint64_t nr = 0;

		sscanf(line, "%7[A-Z]: %" SCNu64 " %23s", kind, &nr, devent);
		while (change[-1] != ' ')
			change--;
		n += (size_t)snprintf(found + n, sizeof(found) - n, "%s %" PRIu64 " %s %d;", kind,
				      nr, devent, atoi(change));
	}
	assert_string_equal(found, expected);
}

static void a_line_is_repeated_when_events_were_left_out(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;
	struct call_log_event e = first;

	event(l, 0, 1000);
	event(l, 1, 1100);
	event(l, 2, 900);
	event(l, 4, 950);
	event(l, 5, 950);
	e.nr = 9;
	e.rss = 940;
	assert_int_equal(call_log_last(l, &e, NULL), 0);
	rules(p->log, "FRST 0 +0 1000;NEXT 1 +1 1100;NEXT 2 +1 -200;PREV 2 +1 -200;NEXT 4 +2 50;"
		      "NEXT 5 +1 0;LAST 9 +4 -10;");
}

static void the_first_line_can_be_repeated_too(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;

	event(l, 0, 1000);
	event(l, 7, 1010);
	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	rules(p->log, "FRST 0 +0 1000;PREV 0 +0 1000;NEXT 7 +7 1010;LAST 7 +0 0;");
}

static void what_came_before_the_first_line_is_counted(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;

	event(l, 5, 1000);
	event(l, 6, 1010);
	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	rules(p->log, "FRST 5 +5 1000;NEXT 6 +1 1010;LAST 6 +0 0;");
}

static void a_log_of_one_event(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;

	event(l, 0, 1000);
	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	rules(p->log, "FRST 0 +0 1000;LAST 0 +0 1000;");
}

static void a_log_of_nothing(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;

	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	rules(p->log, "");
}

static void a_message_stands_among_the_lines(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;

	assert_int_equal(call_log_message(l, "from here", NULL), 0);
	event(l, 0, 1000);
	assert_int_equal(call_log_message(l, "12 events\nwere lost", NULL), 0);
	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	text = contents(p->log);
	assert_int_equal(
		strncmp(body(text), "MSG:  0            +0      0.000000     # from here\n", 52),
		0);
	assert_non_null(strstr(
		text,
		"\nMSG:  1            +1      0.113143     # 12 events\\x0awere lost\nLAST: "));
}

static void what_is_ended_early_has_no_end(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;
	_cleanup_free_ char *text = NULL;

	event(l, 0, 1000);
	call_log_free(l);
	call_log_free(NULL);
	text = contents(p->log);
	assert_int_equal(lines(text), 3);
	assert_null(strstr(text, "EOF"));
}

/* --- hostile names -------------------------------------------------------------------------- */

static void names_cannot_forge_lines(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_TEXT);
	struct place *p = *state;
	struct call_log_event e = first;
	_cleanup_free_ char *text = NULL;

	e.function = "f\nLAST: 1\nEOF\n\x1b[2J\xe2\x80\xa8";
	e.file = "\xff/na\xc3\xafve \xe2\x82\xac \\\r.py";
	assert_int_equal(call_log_write(l, &e, NULL), 0);
	assert_int_equal(call_log_last(l, NULL, NULL), 0);
	text = contents(p->log);
	assert_int_equal(lines(text), 5);
	assert_non_null(strstr(text, " f\\x0aLAST: 1\\x0aEOF\\x0a\\x1b[2J\\xe2\\x80\\xa8 "));
	assert_non_null(strstr(text, " \\xff/na\xc3\xafve \xe2\x82\xac \\\\\\x0d.py "));
}

static void names_of_any_length_are_bounded(void **state)
{
	static char name[100000];
	struct place *p = *state;

	for (int json = 0; json <= 1; json++)
		for (const char *c = "a\n\\\"\x01"; *c; c++) {
			struct call_log *l = make(p, json ? CALL_LOG_JSON : CALL_LOG_TEXT);
			struct call_log_event e = first;
			_cleanup_free_ char *text = NULL;

			memset(name, *c, sizeof(name) - 1);
			e.function = e.file = name;
			for (e.nr = 0; e.nr < 5; e.nr++)
				assert_int_equal(call_log_write(l, &e, NULL), 0);
			assert_int_equal(call_log_last(l, NULL, NULL), 0);
			text = contents(json ? p->jsonl : p->log);
			assert_int_equal(lines(text), json ? 6 : 9);
			assert_true(strlen(text) > 6 * 5000 && strlen(text) < 6 * 11000);
			unlink(json ? p->jsonl : p->log);
		}
}

static void a_plain_name_is_the_last_part(void **state)
{
	static const char *const names[][2] = {
		{"f", "f"},
		{"C.method", "method"},
		{"f.<locals>.<lambda>", "<lambda>"},
		{"A.B.f.<locals>.g", "g"},
		{"<module>", "<module>"},
		{"", ""},
		{".", "."},
		{"odd.", "odd."},
		{"\xc3\xa9.\xc3\xa8", "\xc3\xa8"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(call_log_plain_name(names[i][0]), names[i][1]);
}

/* --- JSON ----------------------------------------------------------------------------------- */

static void the_same_lines_as_json(void **state)
{
	struct call_log *l = make(*state, CALL_LOG_JSON);
	struct place *p = *state;
	struct call_log_event e = first;

	event(l, 0, 1000);
	e.nr = 2;
	e.returns = true;
	e.function = "na\xc3\xafve\n\"";
	e.cpu_ns = 3600123456789;
	assert_int_equal(call_log_write(l, &e, NULL), 0);
	assert_int_equal(call_log_message(l, "lost", NULL), 0);
	e.nr = 3;
	e.rss = 0;
	assert_int_equal(call_log_last(l, &e, NULL), 0);
#define NAMES "\"file\":\"app/t1.py\",\"line\":8,\"function\":"
#define FIRST                                                                  \
	"\"event\":0,\"devent\":0,\"clock\":0.113143,\"what\":\"CALL\"," NAMES \
	"\"grow\",\"rss\":1000,\"drss\":1000}\n"
	holds(p->jsonl, "{\"kind\":\"FRST\"," FIRST "{\"kind\":\"PREV\"," FIRST
			"{\"kind\":\"NEXT\",\"event\":2,\"devent\":2,\"clock\":3600.123456,"
			"\"what\":\"RETURN\"," NAMES "\"na\xc3\xafve\\\\x0a\\\"\","
			"\"rss\":17371136,\"drss\":17371136}\n"
			"{\"kind\":\"MSG\",\"event\":3,\"devent\":1,\"clock\":3600.123456,"
			"\"text\":\"lost\"}\n"
			"{\"kind\":\"LAST\",\"event\":3,\"devent\":1,\"clock\":3600.123456,"
			"\"what\":\"RETURN\"," NAMES "\"na\xc3\xafve\\\\x0a\\\"\","
			"\"rss\":0,\"drss\":-17371136}\n");
}

static void figures_of_any_size_are_told(void **state)
{
	struct place *p = *state;

	for (int json = 0; json <= 1; json++) {
		struct call_log *l = make(p, json ? CALL_LOG_JSON : CALL_LOG_TEXT);
		struct call_log_event e = first;
		_cleanup_free_ char *text = NULL;

		e.nr = INT64_MAX;
		e.cpu_ns = INT64_MAX;
		e.line = INT32_MIN;
		e.rss = INT64_MIN;
		assert_int_equal(call_log_write(l, &e, NULL), 0);
		e.nr = 0;
		e.rss = INT64_MAX;
		assert_int_equal(call_log_write(l, &e, NULL), 0);
		assert_int_equal(call_log_last(l, NULL, NULL), 0);
		text = contents(json ? p->jsonl : p->log);
		assert_non_null(strstr(text, json ? "\"event\":9223372036854775807,"
						  : "FRST: 9223372036854775807 "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_cpymemtrace_wrote_comes_out_again),
		TEST(every_column_has_its_width),
		TEST(a_line_is_repeated_when_events_were_left_out),
		TEST(the_first_line_can_be_repeated_too),
		TEST(what_came_before_the_first_line_is_counted),
		TEST(a_log_of_one_event),
		TEST(a_log_of_nothing),
		TEST(a_message_stands_among_the_lines),
		TEST(what_is_ended_early_has_no_end),
		TEST(names_cannot_forge_lines),
		TEST(names_of_any_length_are_bounded),
		TEST(a_plain_name_is_the_last_part),
		TEST(the_same_lines_as_json),
		TEST(figures_of_any_size_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
