/* One copy of nle's library for one game: loading it, and making it as good as new for the next
 * episode. NetHack keeps its state in global variables, so every game has a copy of its own. */
#define _GNU_SOURCE
#include "calm.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

enum { PAGE = 4096, MAX_FILL = 256, PLACES = 2048, LARGEST = 1 << 24 };
#define DESCRIBE "_ZN10nethack_rl9NetHackRL24store_screen_descriptionEiii"

/* --- where it is loaded -------------------------------------------------------------------- */

/* Branch predictors and caches of decoded instructions know code by some bits of its address. Copies
 * in whose addresses these are equal share what is learnt there, so that a game finds the processor
 * ready where another has left it: where the loader puts them a step takes half as long again or
 * more. Which bits these are we found by trying: on AMD's Zen 5 those below 32, on Zen 4 the exclusive
 * or of bits 12 to 23, 24 to 35 and 36 to 47 (Zen 3, of the same family 25, is taken to be alike).
 * Eight places suit both; further ones are chosen for the processor.
 *
 * The loader takes the highest gap that is large enough. So space is reserved meanwhile, with a hole
 * of the right size where we want the library, and larger gaps above are filled. If that fails the
 * copy is merely slower. */
typedef struct {
    char *space, *hole; /* the hole is the middle third */
    size_t bytes;       /* of the hole */
    void *fill[MAX_FILL];
    size_t fill_bytes[MAX_FILL];
    int n_fill;
} gap;

static bool folds_addresses(void)
{
    bool folds = false;
#ifdef __x86_64__
    unsigned a = 0, b, c, d;
    folds = __get_cpuid(1, &a, &b, &c, &d) && (a >> 8 & 15) + (a >> 20 & 255) == 25;
#endif
    return folds;
}

/* Where the k-th copy is to lie, k < PLACES. */
static uintptr_t place(uintptr_t k, bool folds)
{
    const uintptr_t both = (uintptr_t) 1 << 32 | (uintptr_t) 1 << 44;
    const uintptr_t further = (uintptr_t) 1 << 36 | (uintptr_t) folds << 24;
    return ((uintptr_t) 1 << 43) + k % 8 * both + k / 8 * further;
}

static size_t image_bytes(int fd)
{
    ElfW(Ehdr) head;
    size_t end = 0;
    if (pread(fd, &head, sizeof head, 0) != sizeof head)
        return 0;
    for (int i = 0; i < head.e_phnum; i++) {
        ElfW(Phdr) p;
        if (pread(fd, &p, sizeof p, (off_t) (head.e_phoff + sizeof p * (size_t) i)) != sizeof p)
            return 0;
        if (p.p_type == PT_LOAD && p.p_vaddr + p.p_memsz > end)
            end = p.p_vaddr + p.p_memsz;
    }
    return (end + PAGE - 1) / PAGE * PAGE;
}

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* The first of our places that is free, or NULL. */
static char *reserve_place(size_t bytes)
{
    const bool folds = folds_addresses();
    for (uintptr_t k = 0; k < PLACES; k++) {
        void *at = (void *) place(k, folds);
        char *p = mmap(at, bytes, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (p == at)
            return p;
        if (p != MAP_FAILED) /* by a kernel that does not know the flag */
            munmap(p, bytes);
    }
    return NULL;
}

static void open_gap(gap *g, size_t bytes)
{
    g->n_fill = 0;
    g->bytes = bytes;
    if (!bytes || 3 * bytes > LARGEST || !(g->space = reserve_place(3 * bytes)))
        return;
    g->hole = g->space + bytes;
    for (size_t piece = (size_t) 1 << 46;;) {
        char *p = g->n_fill < MAX_FILL ? reserve(piece) : NULL;
        if (p > g->hole) {
            g->fill[g->n_fill] = p;
            g->fill_bytes[g->n_fill++] = piece;
            continue;
        }
        if (p)
            munmap(p, piece);
        if (piece == bytes || g->n_fill == MAX_FILL)
            break;
        piece = piece / 2 > bytes ? piece / 2 : bytes;
    }
    munmap(g->hole, bytes);
}

/* All but the hole, in which the copy is now, or what else came first. */
static void close_gap(gap *g)
{
    while (g->n_fill-- > 0)
        munmap(g->fill[g->n_fill], g->fill_bytes[g->n_fill]);
    if (!g->space)
        return;
    munmap(g->space, g->bytes);
    munmap(g->hole + g->bytes, g->bytes);
}

/* --- its destructors ----------------------------------------------------------------------- */

/* The library's constructors run again for every episode, and each time register destructors. The
 * C library would keep a list of them that grows for ever; so the copy registers them with us. */
static calm_library *libraries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int register_destructor(void (*function)(void *), void *object, void *dso)
{
    int (*theirs)(void (*)(void *), void *, void *) =
        (int (*)(void (*)(void *), void *, void *)) dlsym(RTLD_DEFAULT, "__cxa_atexit");
    pthread_mutex_lock(&lock);
    calm_library *l = libraries;
    while (l && !((uint8_t *) dso >= (uint8_t *) l->base && (uint8_t *) dso < l->data + l->bytes))
        l = l->next;
    const bool ours = l && l->n_destructors < MAX_DESTRUCTORS;
    if (ours)
        l->destructors[l->n_destructors++] = (calm_destructor){ function, object };
    pthread_mutex_unlock(&lock);
    return ours ? 0 : theirs ? theirs(function, object, dso) : -1;
}

static void destroy(calm_library *l)
{
    while (l->n_destructors > 0) {
        calm_destructor d = l->destructors[--l->n_destructors];
        d.function(d.object);
    }
}

static void enlist(calm_library *l)
{
    pthread_mutex_lock(&lock);
    l->next = libraries;
    libraries = l;
    pthread_mutex_unlock(&lock);
}

static void strike_off(calm_library *l)
{
    pthread_mutex_lock(&lock);
    for (calm_library **p = &libraries; *p; p = &(*p)->next)
        if (*p == l) {
            *p = l->next;
            break;
        }
    pthread_mutex_unlock(&lock);
}

/* --- loading ------------------------------------------------------------------------------- */

static int share_text(const calm_library *l, const ElfW(Phdr) *phdr, int n)
{
    /* Every copy has pages of its own. What is never written may come from the one file on disk,
     * so that all games share one machine code in memory and in the caches. */
    int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        const ElfW(Phdr) *p = &phdr[i];
        if (p->p_type != PT_LOAD || (p->p_flags & PF_W) || p->p_offset % PAGE)
            continue;
        int prot = PROT_READ | ((p->p_flags & PF_X) ? PROT_EXEC : 0);
        void *where = (void *) (l->base + p->p_vaddr);
        if (mmap(where, p->p_filesz, prot, MAP_PRIVATE | MAP_FIXED, fd, (off_t) p->p_offset)
            == MAP_FAILED) {
            close(fd);
            return -1;
        }
    }
    close(fd);
    return 0;
}

static void read_dynamic(calm_library *l, const ElfW(Dyn) *d)
{
    static const struct {
        const char *name;
        void *ours;
    } replaced[] = {
        { "__cxa_atexit", register_destructor },
        { "malloc", calm_malloc },
        { "calloc", calm_calloc },
        { "realloc", calm_realloc },
        { "free", calm_free },
        { "memcpy", calm_memcpy },
        { "time", calm_time },
        { DESCRIBE, calm_describe },
        { "vision_recalc", calm_see_dungeon },
        { "recalc_mapseen", calm_count_dungeon },
    };
    const ElfW(Rela) *plt = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    size_t plt_bytes = 0;
    for (; d->d_tag != DT_NULL; d++) {
        /* glibc has made these three addresses, the others are offsets. */
        const void *there = (const void *) d->d_un.d_ptr;
        if (d->d_un.d_ptr < l->base)
            there = (const void *) (l->base + d->d_un.d_ptr);
        if (d->d_tag == DT_JMPREL)
            plt = there;
        else if (d->d_tag == DT_PLTRELSZ)
            plt_bytes = d->d_un.d_val;
        else if (d->d_tag == DT_SYMTAB)
            symbols = there;
        else if (d->d_tag == DT_STRTAB)
            names = there;
        else if (d->d_tag == DT_INIT_ARRAY)
            l->init = (void *) there;
        else if (d->d_tag == DT_INIT_ARRAYSZ)
            l->n_init = d->d_un.d_val / sizeof(void *);
        else if (d->d_tag == DT_FINI_ARRAY)
            l->fini = (void *) there;
        else if (d->d_tag == DT_FINI_ARRAYSZ)
            l->n_fini = d->d_un.d_val / sizeof(void *);
    }
    for (size_t i = 0; plt && symbols && names && i < plt_bytes / sizeof *plt; i++) {
        const ElfW(Sym) *symbol = &symbols[ELF64_R_SYM(plt[i].r_info)];
        uint8_t *slot = (uint8_t *) l->base + plt[i].r_offset;
        if (slot < l->data || slot >= l->data + l->bytes)
            continue;
        for (size_t k = 0; k < sizeof replaced / sizeof *replaced; k++)
            if (!strcmp(names + symbol->st_name, replaced[k].name))
                *(void **) slot = replaced[k].ours;
    }
}

static int find_image(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void) size;
    calm_library *l = arg;
    if (info->dlpi_addr != l->base)
        return 0;
    ElfW(Addr) relro_end = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_GNU_RELRO)
            relro_end = l->base + p->p_vaddr + p->p_memsz;
    }
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_W)) {
            ElfW(Addr) from = l->base + p->p_vaddr, to = from + p->p_memsz;
            if (relro_end > from && relro_end < to)
                from = relro_end; /* read-only once loaded */
            l->data = (uint8_t *) from;
            l->bytes = to - from;
        }
    }
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            read_dynamic(l, (void *) (l->base + info->dlpi_phdr[i].p_vaddr));
    share_text(l, info->dlpi_phdr, info->dlpi_phnum);
    return 1;
}

static const char *open_copy(calm_library *l)
{
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", l->copy);
    l->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!l->handle)
        return dlerror();
    l->start = (void *(*) (nle_obs *, FILE *, nle_settings *)) dlsym(l->handle, "nle_start");
    l->step = (void *(*) (void *, nle_obs *)) dlsym(l->handle, "nle_step");
    l->end = (void (*)(void *)) dlsym(l->handle, "nle_end");
    return l->start && l->step && l->end ? NULL
                                         : "libnethack.so has no nle_start, nle_step, nle_end";
}

/* A game keeps two descriptors open, so many games need more than the usual limit. */
static void raise_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

static const char *cannot_be(const char *done)
{
    static _Thread_local char why[128];
    snprintf(why, sizeof why, "libnethack.so can't be %s: %s", done, strerror(errno));
    return why;
}

/* NULL and the space that the copy will take, or why there is none. */
static const char *make_copy(calm_library *l, size_t *bytes)
{
    const int from = open(l->path, O_RDONLY | O_CLOEXEC);
    /* The descriptor stays open: the loader knows libraries by name, and the next copy would get
     * the same number and be taken for this one. */
    l->copy = from < 0 ? -1 : memfd_create("libnethack.so", MFD_CLOEXEC);
    struct stat st;
    const char *fault = l->copy < 0 || fstat(from, &st) ? cannot_be("read") : NULL;
    for (off_t done = 0; !fault && done < st.st_size;)
        if (sendfile(l->copy, from, &done, (size_t) (st.st_size - done)) <= 0)
            fault = cannot_be("copied");
    *bytes = fault ? 0 : image_bytes(from);
    if (from >= 0)
        close(from);
    return fault;
}

static const char *load(calm_library *l)
{
    raise_limit();
    size_t bytes;
    const char *fault = make_copy(l, &bytes);
    if (fault)
        return fault;
    gap g = { 0 };
    open_gap(&g, bytes);
    fault = open_copy(l);
    close_gap(&g);
    if (fault)
        return fault;
    Dl_info where;
    if (!dladdr((void *) l->start, &where))
        return "libnethack.so can't be found in memory";
    l->base = (ElfW(Addr)) where.dli_fbase;
    l->describe = (void (*)(void *, int, int, int)) dlsym(l->handle, DESCRIBE);
    l->hero_at = dlsym(l->handle, "u"); /* struct you begins with x and y */
    calm_find_overview(l);
    dl_iterate_phdr(find_image, l);
    if (!l->data || !(l->before = malloc(l->bytes)))
        return "libnethack.so has no writable segment";
    memcpy(l->before, l->data, l->bytes);
    enlist(l);
    return NULL;
}

const char *calm_load(calm_library *l, const char *path)
{
    memset(l, 0, sizeof *l);
    l->path = path;
    l->copy = l->hero_glyph = -1;
    l->blocks.before = l->blocks.after = &l->blocks;
    const char *fault = load(l);
    if (fault)
        calm_unload(l);
    return fault;
}

void calm_unload(calm_library *l)
{
    calm_plays(l);
    destroy(l);
    if (l->handle)
        dlclose(l->handle);
    calm_plays(NULL);
    calm_free_blocks(l);
    strike_off(l);
    if (l->copy >= 0)
        close(l->copy);
    free(l->before);
}

/* What unloading and loading would do: destructors, fresh memory, constructors. */
void calm_rewind(calm_library *l)
{
    calm_plays(l);
    destroy(l);
    for (size_t i = l->n_fini; i-- > 0;)
        l->fini[i]();
    calm_free_blocks(l);
    memcpy(l->data, l->before, l->bytes);
    l->hero_glyph = -1;
    l->seeing = false;
    for (size_t i = 0; i < l->n_init; i++)
        l->init[i](0, NULL, NULL);
}

/* The same by unloading and loading, as nle does it. */
const char *calm_reload(calm_library *l)
{
    destroy(l);
    dlclose(l->handle);
    l->handle = NULL;
    return open_copy(l);
}
