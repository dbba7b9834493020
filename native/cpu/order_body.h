/* Sorting and selecting keyed entries, included by order.c once per entry type.
 *
 * ENTRY is the type, BEFORE(a, b) its total order (the position breaks ties, so every algorithm is stable), KEY(e) its
 * key and KEY_BYTES the key's significant bytes. NAME(x) makes a name of this instance. */

/* Insertion sort, for few entries; entries that are in order already are not moved. */
static void NAME(insertion_sort)(ENTRY *e, int64_t n) {
  for (int64_t i = 1; i < n; i++) {
    ENTRY x = e[i];
    int64_t j = i;
    for (; j > 0 && BEFORE(x, e[j - 1]); j--) e[j] = e[j - 1];
    e[j] = x;
  }
}

/* Radix sort, least significant byte first; a byte that all keys share costs no pass. Returns the array with the
   result, `e` or `other`. */
static ENTRY *NAME(radix_sort)(ENTRY *e, ENTRY *other, int64_t n, int key_bytes) {
  uint32_t counts[8][256];
  memset(counts, 0, sizeof counts[0] * (size_t)key_bytes);
  for (int64_t i = 0; i < n; i++) {
    uint64_t key = KEY(e[i]);
    for (int b = 0; b < key_bytes; b++) counts[b][(key >> (8 * b)) & 255]++;
  }
  for (int b = 0; b < key_bytes; b++) {
    uint32_t *count = counts[b];
    if (count[(KEY(e[0]) >> (8 * b)) & 255] == (uint32_t)n) continue;
    uint32_t start = 0;
    for (int v = 0; v < 256; v++) {
      uint32_t c = count[v];
      count[v] = start;
      start += c;
    }
    for (int64_t i = 0; i < n; i++) other[count[(KEY(e[i]) >> (8 * b)) & 255]++] = e[i];
    ENTRY *t = e;
    e = other;
    other = t;
  }
  return e;
}

/* Merge sort of runs of 32 that are sorted by insertion, for sizes between those of the two other sorts. */
static ENTRY *NAME(merge_sort)(ENTRY *e, ENTRY *other, int64_t n) {
  for (int64_t i = 0; i < n; i += 32) NAME(insertion_sort)(e + i, n - i < 32 ? n - i : 32);
  for (int64_t width = 32; width < n; width *= 2) {
    for (int64_t lo = 0; lo < n; lo += 2 * width) {
      int64_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
      int64_t a = lo, b = mid, k = lo;
      while (a < mid && b < hi) {
        if (BEFORE(e[b], e[a])) other[k++] = e[b++];
        else other[k++] = e[a++];
      }
      while (a < mid) other[k++] = e[a++];
      while (b < hi) other[k++] = e[b++];
    }
    ENTRY *t = e;
    e = other;
    other = t;
  }
  return e;
}

static ENTRY *NAME(sort)(ENTRY *e, ENTRY *other, int64_t n, int key_bytes) {
  if (n <= 32) {
    NAME(insertion_sort)(e, n);
    return e;
  }
  /* The counters of a byte cost 256 steps; counts are 32 bits wide. */
  if (n < 128 * (int64_t)key_bytes || n >= ((int64_t)1 << 32)) return NAME(merge_sort)(e, other, n);
  return NAME(radix_sort)(e, other, n, key_bytes);
}

/* Restores the heap (its top comes last in order) below `i`. */
static void NAME(sift)(ENTRY *heap, int64_t n, int64_t i) {
  ENTRY x = heap[i];
  for (;;) {
    int64_t child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && BEFORE(heap[child], heap[child + 1])) child++;
    if (!BEFORE(x, heap[child])) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = x;
}

/* One row: its entries are made in `e`, and the first `k` in order are written out. */
static void NAME(row)(const RowJob *job, const char *x, char *values, int64_t *indices) {
  ENTRY *e = (ENTRY *)job->scratch;
  int64_t n = job->n, k = job->k;
  if (takes_few(job)) {
    for (int64_t i = 0; i < k; i++) e[i] = NAME(entry)(job, x, i);
    for (int64_t i = k / 2 - 1; i >= 0; i--) NAME(sift)(e, k, i);
    for (int64_t i = k; i < n && k > 0; i++) {
      ENTRY candidate = NAME(entry)(job, x, i);
      if (BEFORE(candidate, e[0])) {
        e[0] = candidate;
        NAME(sift)(e, k, 0);
      }
    }
    /* The heap does not keep the order of positions, on which radix sort relies. */
    e = NAME(merge_sort)(e, e + k, k);
  } else {
    for (int64_t i = 0; i < n; i++) e[i] = NAME(entry)(job, x, i);
    e = NAME(sort)(e, e + n, n, job->key_bytes);
  }
  for (int64_t i = 0; i < k; i++) {
    int64_t from = (int64_t)POSITION(e[i]);
    copy_value(values, i * job->value_step, x, from * job->x_step, job->size);
    indices[i * job->index_step] = from;
  }
}

#undef ENTRY
#undef BEFORE
#undef KEY
#undef POSITION
#undef NAME
