/* SPDX-License-Identifier: MIT */
/*
 * Reads a recording frame by frame; frames are kept until a Moment says that they belong together,
 * then they are applied to the profile (pmt_apply.c). Nothing in a file is believed: a frame that
 * is not whole ends the reading, one that is whole and cannot be ours is a fault. What is held is
 * bounded by the bytes that were there to be read.
 */
#include "output/pmt.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "output/pmt_internal.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

struct reader {
	FILE *in;
	const char *name;
	struct pmt_builder b;
	/* frames since the last moment: kind and length in the byte order of this machine, payload */
	uint8_t *frames;
	size_t len, size;
};

bool pmt_is_recording(const void *bytes, size_t len)
{
	return len >= PMT_MAGIC_BYTES && !memcmp(bytes, PMT_MAGIC, PMT_MAGIC_BYTES);
}

/* 0 only if all of them were there; -ENODATA: the file ends before. */
static int read_bytes(struct reader *r, void *buf, size_t len, struct fault *f)
{
	size_t n;

	errno = 0;
	n = fread(buf, 1, len, r->in);
	if (n == len)
		return 0;
	return ferror(r->in) ? fault_errno(f, errno ? errno : EIO, "%s", r->name) : -ENODATA;
}

static int read_start(struct reader *r, struct fault *f)
{
	unsigned char start[PMT_START_BYTES];
	size_t n = fread(start, 1, sizeof(start), r->in);

	if (ferror(r->in))
		return fault_errno(f, errno ? errno : EIO, "%s", r->name);
	if (!n)
		return fault_set(f, EINVAL, "%s is empty", r->name);
	if (memcmp(start, PMT_MAGIC, n < PMT_MAGIC_BYTES ? n : PMT_MAGIC_BYTES) != 0)
		return fault_set(f, EMEDIUMTYPE, "%s is not a recording of pymemtrace-bpf",
				 r->name);
	if (n < sizeof(start))
		return fault_set(f, EINVAL, "%s is cut short: nothing was recorded yet", r->name);
	if (start[PMT_MAGIC_BYTES] != PMT_VERSION) {
		fault_set(f, ENOTSUP, "%s has version %u of the format, this program reads %u",
			  r->name, start[PMT_MAGIC_BYTES], PMT_VERSION);
		fault_hint(f, "use the version of pymemtrace-bpf that wrote it");
		return -ENOTSUP;
	}
	return 0;
}

static int reserve(struct reader *r, size_t more)
{
	size_t wanted = max(r->len + more, r->size * 2);
	uint8_t *frames;

	if (r->len + more <= r->size)
		return 0;
	frames = realloc(r->frames, wanted);
	if (!frames)
		return -ENOMEM;
	r->frames = frames;
	r->size = wanted;
	return 0;
}

/*
 * The next frame, at r->frames + r->len. -ENODATA: none that is whole. A length that no frame has
 * and a wrong checksum are damage, the same to a reader as the end.
 */
static int read_frame(struct reader *r, struct pmt_frame *ret, struct fault *f)
{
	struct pmt_frame frame;
	uint8_t *payload;
	uint32_t len;
	int err = read_bytes(r, &frame, sizeof(frame), f);

	if (err)
		return err;
	len = le32toh(frame.length);
	if (len > PMT_MAX_PAYLOAD)
		return -ENODATA;
	if (reserve(r, sizeof(frame) + len))
		return fault_set(f, ENOMEM, "no memory for %s", r->name);
	payload = r->frames + r->len + sizeof(frame);
	err = read_bytes(r, payload, len, f);
	if (err)
		return err;
	if (le32toh(frame.crc) != pmt_crc(&frame, payload, len))
		return -ENODATA;
	*ret = (struct pmt_frame){.length = len, .kind = le32toh(frame.kind)};
	memcpy(r->frames + r->len, ret, sizeof(*ret));
	return 0;
}

static int fail(struct reader *r, int err, struct fault *f)
{
	if (err != -EINVAL)
		return fault_errno(f, -err, "cannot read %s", r->name);
	return fault_set(f, EINVAL, "%s is damaged: %s", r->name, r->b.bad);
}

/* All frames that were kept, in order. */
static int apply(struct reader *r, struct fault *f)
{
	for (size_t at = 0; at < r->len;) {
		struct pmt_frame frame;
		int err;

		memcpy(&frame, r->frames + at, sizeof(frame));
		at += sizeof(frame);
		err = pmt_apply(&r->b, frame.kind, r->frames + at, frame.length);
		if (err)
			return fail(r, err, f);
		at += frame.length;
	}
	r->len = 0;
	return 0;
}

/* The first frame: what there was to record. It stands alone. */
static int read_head(struct reader *r, struct fault *f)
{
	struct pmt_frame frame;
	int err = read_frame(r, &frame, f);

	if (err == -ENODATA)
		return fault_set(f, EINVAL, "%s is cut short: nothing was recorded yet", r->name);
	if (err)
		return err;
	r->b.bad = "it does not begin with its head";
	if (frame.kind != PMT_HEAD)
		return fail(r, -EINVAL, f);
	r->len = sizeof(frame) + frame.length;
	return apply(r, f);
}

static int read_frames(struct reader *r, struct fault *f)
{
	struct pmt_frame frame;
	int err;

	r->b.p->cut_short = true;
	while (r->b.p->cut_short) {
		err = read_frame(r, &frame, f);
		if (err)
			return err == -ENODATA ? 0 : err;
		r->len += sizeof(frame) + frame.length;
		if (frame.kind != PMT_MOMENT && frame.kind != PMT_END)
			continue;
		err = apply(r, f);
		if (err)
			return err;
		r->b.p->cut_short = frame.kind != PMT_END;
	}
	return 0;
}

int pmt_read(FILE *in, const char *name, struct profile **ret, struct fault *f)
{
	struct reader r = {.in = in, .name = name, .b.p = profile_new()};
	int err;

	if (!r.b.p)
		return fault_set(f, ENOMEM, "no memory for %s", name);
	err = read_start(&r, f);
	if (!err)
		err = read_head(&r, f);
	if (!err)
		err = read_frames(&r, f);
	if (!err) {
		err = pmt_finish(&r.b);
		if (err)
			fail(&r, err, f);
	}
	if (err)
		profile_free(r.b.p);
	else
		*ret = r.b.p;
	free(r.frames);
	free(r.b.rows);
	return err;
}
