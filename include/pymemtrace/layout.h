/* SPDX-License-Identifier: MIT */
/*
 * What the readers of CPython's memory, in user space and in BPF, must know of one build of CPython:
 * offsets and sizes of C structures. No version numbers appear in the readers; they follow this.
 *
 * PY_LAYOUT_FIELDS is the only list: the struct, the generator (user/python/genlayout.c), and the
 * printed tables follow from it. A row is FIELD(name, kind, type, path):
 *   OFF   offset in bytes of member `path` (dots descend, anonymous members are seen through) in
 *         struct or typedef `type`
 *   SIZE  size in bytes of that member, or of the type itself if path is ""
 *   BIT   offset in bits of a bit-field in the type
 * `type` and `path` may list alternatives with "|" (tried in turn, pairwise if both do). What a
 * build does not have is PY_NONE.
 *
 * Sources: Objects/obmalloc.c (<= 3.11), Include/internal/pycore_obmalloc.h (>= 3.12),
 * pycore_interp.h, pycore_runtime.h, pycore_freelist*.h, pycore_gil.h, pycore_frame.h,
 * pycore_interpframe_structs.h, cpython/code.h, cpython/unicodeobject.h.
 */
#ifndef PYMEMTRACE_LAYOUT_H
#define PYMEMTRACE_LAYOUT_H

#define PY_NONE 0xffffffffu

#define PY_LAYOUT_FIELDS(FIELD)                                                                          \
	/* pymalloc: one arena, one pool */                                                              \
	FIELD(arena_object_size, SIZE, "arena_object", "")                                               \
	FIELD(arena_address, OFF, "arena_object", "address")                                             \
	FIELD(arena_pool_address, OFF, "arena_object", "pool_address")                                   \
	FIELD(arena_nfreepools, OFF, "arena_object", "nfreepools")                                       \
	FIELD(arena_ntotalpools, OFF, "arena_object", "ntotalpools")                                     \
	FIELD(pool_header_size, SIZE, "pool_header", "")                                                 \
	FIELD(pool_count, OFF, "pool_header", "ref")                                                     \
	FIELD(pool_arenaindex, OFF, "pool_header", "arenaindex")                                         \
	FIELD(pool_szidx, OFF, "pool_header", "szidx")                                                   \
	FIELD(pool_nextoffset, OFF, "pool_header", "nextoffset")                                         \
	FIELD(pool_maxnextoffset, OFF, "pool_header", "maxnextoffset")                                   \
	/* the radix tree that finds arenas, since 3.10 (bpo-37448): node sizes */                       \
	FIELD(arena_map_top_size, SIZE, "arena_map_top|arena_map_top_t", "")                             \
	FIELD(arena_map_mid_size, SIZE, "arena_map_mid|arena_map_mid_t", "")                             \
	FIELD(arena_map_bot_size, SIZE, "arena_map_bot|arena_map_bot_t", "")                             \
	/* struct _obmalloc_state, since 3.12 (gh-101659); file-static objects before */                 \
	FIELD(obmalloc_size, SIZE, "_obmalloc_state", "")                                                \
	FIELD(obmalloc_usedpools_size, SIZE, "_obmalloc_state", "pools.used")                            \
	FIELD(obmalloc_arenas, OFF, "_obmalloc_state", "mgmt.arenas")                                    \
	FIELD(obmalloc_maxarenas, OFF, "_obmalloc_state", "mgmt.maxarenas")                              \
	FIELD(obmalloc_narenas, OFF, "_obmalloc_state", "mgmt.narenas_currently_allocated")              \
	FIELD(obmalloc_ntimes, OFF, "_obmalloc_state", "mgmt.ntimes_arena_allocated")                    \
	FIELD(obmalloc_highwater, OFF, "_obmalloc_state", "mgmt.narenas_highwater")                      \
	FIELD(obmalloc_map_root_size, SIZE, "_obmalloc_state", "usage.arena_map_root")                   \
	FIELD(obmalloc_map_mid_count, OFF, "_obmalloc_state", "usage.arena_map_mid_count")               \
	FIELD(obmalloc_map_bot_count, OFF, "_obmalloc_state", "usage.arena_map_bot_count")               \
	/* _PyRuntime, since 3.7 */                                                                      \
	FIELD(runtime_interpreters_head, OFF, "pyruntimestate", "interpreters.head")                     \
	FIELD(runtime_interpreters_main, OFF, "pyruntimestate", "interpreters.main")                     \
	FIELD(runtime_alloc_raw, OFF, "pyruntimestate", "allocators.standard.raw")                       \
	FIELD(runtime_alloc_mem, OFF, "pyruntimestate", "allocators.standard.mem")                       \
	FIELD(runtime_alloc_obj, OFF, "pyruntimestate", "allocators.standard.obj")                       \
	FIELD(runtime_obj_arena, OFF, "pyruntimestate", "allocators.obj_arena")                          \
	FIELD(runtime_size, SIZE, "pyruntimestate", "")                                                  \
	/* PyInterpreterState; obmalloc is embedded in 3.12, a pointer (size 8) since 3.13 */            \
	FIELD(interp_next, OFF, "_is", "next")                                                           \
	FIELD(interp_id, OFF, "_is", "id")                                                               \
	FIELD(interp_threads, OFF, "_is", "threads.head|tstate_head")                                    \
	FIELD(interp_feature_flags, OFF, "_is", "feature_flags")                                         \
	FIELD(interp_gil, OFF, "_is", "ceval.gil")                                                       \
	FIELD(interp_obmalloc, OFF, "_is", "obmalloc")                                                   \
	FIELD(interp_obmalloc_size, SIZE, "_is", "obmalloc")                                             \
	/* PyThreadState, the GIL of an interpreter (since 3.12) */                                      \
	FIELD(tstate_next, OFF, "_ts", "next")                                                           \
	FIELD(tstate_interp, OFF, "_ts", "interp")                                                       \
	FIELD(tstate_thread_id, OFF, "_ts", "thread_id")                                                 \
	FIELD(tstate_native_thread_id, OFF, "_ts", "native_thread_id")                                   \
	FIELD(gil_last_holder, OFF, "_gil_runtime_state", "last_holder")                                 \
	FIELD(gil_locked, OFF, "_gil_runtime_state", "locked")                                           \
	/* free lists per interpreter: counters are int until 3.13, Py_ssize_t in struct           \
	 * _Py_freelist since 3.14; file-static objects until 3.9. The tuple sizes tell how many   \
	 * lists there are. */     \
	FIELD(free_dict, OFF, "_is",                                                                     \
	      "dict_state.numfree|object_state.freelists.dicts.numfree|"                                 \
	      "object_state.freelists.dicts.size")                                                       \
	FIELD(free_dictkeys, OFF, "_is",                                                                 \
	      "object_state.freelists.dictkeys.numfree|object_state.freelists.dictkeys.size")            \
	FIELD(free_float, OFF, "_is",                                                                    \
	      "float_state.numfree|object_state.freelists.floats.numfree|"                               \
	      "object_state.freelists.floats.size")                                                      \
	FIELD(free_frame, OFF, "_is", "frame.numfree")                                                   \
	FIELD(free_list, OFF, "_is",                                                                     \
	      "list.numfree|object_state.freelists.lists.numfree|"                                       \
	      "object_state.freelists.lists.size")                                                       \
	FIELD(free_tuple, OFF, "_is",                                                                    \
	      "tuple.numfree|object_state.freelists.tuples.numfree|"                                     \
	      "object_state.freelists.tuples")                                                           \
	FIELD(free_tuple_size, SIZE, "_is",                                                              \
	      "tuple.numfree|object_state.freelists.tuples.numfree|"                                     \
	      "object_state.freelists.tuples")                                                           \
	FIELD(freelist_size, SIZE, "_Py_freelist", "")                                                   \
	FIELD(freelist_count, OFF, "_Py_freelist", "size")                                               \
	/* types, allocator tables */                                                                    \
	FIELD(type_basicsize, OFF, "_typeobject", "tp_basicsize")                                        \
	FIELD(type_itemsize, OFF, "_typeobject", "tp_itemsize")                                          \
	FIELD(dictkeys_size, SIZE, "_dictkeysobject", "")                                                \
	FIELD(allocator_malloc, OFF, "PyMemAllocatorEx", "malloc")                                       \
	FIELD(arena_allocator_alloc, OFF, "PyObjectArenaAllocator", "alloc")                             \
	FIELD(arena_allocator_free, OFF, "PyObjectArenaAllocator", "free")                               \
	/* the running frame of a thread: in the thread state until 3.10 and since 3.13, between them  \
	 * through the C frame; the GIL's holder until 3.11, of 3.7 and later */ \
	FIELD(runtime_tstate_current, OFF, "pyruntimestate", "gilstate.tstate_current")                  \
	FIELD(tstate_frame, OFF, "_ts|_ts", "current_frame|frame")                                       \
	FIELD(tstate_cframe, OFF, "_ts", "cframe")                                                       \
	FIELD(cframe_current_frame, OFF, "_PyCFrame", "current_frame")                                   \
	/* a frame: struct _frame until 3.10, _PyInterpreterFrame since 3.11 (bpo-44590) */              \
	FIELD(frame_previous, OFF, "_PyInterpreterFrame|_frame", "previous|f_back")                      \
	FIELD(frame_code, OFF, "_PyInterpreterFrame|_PyInterpreterFrame|_frame",                         \
	      "f_executable|f_code|f_code")                                                              \
	FIELD(frame_instr, OFF, "_PyInterpreterFrame", "prev_instr|instr_ptr")                           \
	FIELD(frame_lasti, OFF, "_frame", "f_lasti")                                                     \
	FIELD(frame_owner, OFF, "_PyInterpreterFrame", "owner")                                          \
	/* how a frame was left: a stack kept until 3.9, a state in 3.10, else an exception is set */    \
	FIELD(frame_stacktop, OFF, "_frame", "f_stacktop")                                               \
	FIELD(frame_state, OFF, "_frame", "f_state")                                                     \
	FIELD(tstate_exception, OFF, "_ts|_ts", "current_exception|curexc_type")                         \
	/* whether its JIT is on, since 3.14 (gh-133231) */                                              \
	FIELD(interp_jit, OFF, "_is", "jit")                                                             \
	/* code objects; co_qualname and co_code_adaptive since 3.11, co_version since 3.12 */           \
	FIELD(code_size, SIZE, "PyCodeObject", "")                                                       \
	FIELD(code_firstlineno, OFF, "PyCodeObject", "co_firstlineno")                                   \
	FIELD(code_filename, OFF, "PyCodeObject", "co_filename")                                         \
	FIELD(code_name, OFF, "PyCodeObject", "co_qualname|co_name")                                     \
	FIELD(code_linetable, OFF, "PyCodeObject", "co_linetable|co_lnotab")                             \
	FIELD(code_adaptive, OFF, "PyCodeObject", "co_code_adaptive")                                    \
	FIELD(code_version, OFF, "PyCodeObject", "co_version")                                           \
	/* strings and bytes */                                                                          \
	FIELD(unicode_length, OFF, "PyASCIIObject", "length")                                            \
	FIELD(unicode_state, OFF, "PyASCIIObject", "state")                                              \
	FIELD(unicode_kind_bit, BIT, "PyASCIIObject", "state.kind")                                      \
	FIELD(unicode_compact_bit, BIT, "PyASCIIObject", "state.compact")                                \
	FIELD(unicode_ascii_bit, BIT, "PyASCIIObject", "state.ascii")                                    \
	FIELD(unicode_ascii_size, SIZE, "PyASCIIObject", "")                                             \
	FIELD(unicode_compact_size, SIZE, "PyCompactUnicodeObject", "")                                  \
	FIELD(bytes_size, OFF, "PyVarObject", "ob_size")                                                 \
	FIELD(bytes_data, OFF, "PyBytesObject", "ob_sval")                                               \
	FIELD(object_type, OFF, "_object", "ob_type")                                                    \
	/* only in free-threaded builds, since 3.13 (PEP 703): what tells them apart */                  \
	FIELD(object_tid, OFF, "_object", "ob_tid")

struct py_layout {
#define PY_LAYOUT_MEMBER(name, kind, type, path) __u32 name;
	PY_LAYOUT_FIELDS(PY_LAYOUT_MEMBER)
#undef PY_LAYOUT_MEMBER
};

#endif
