"""Which counted calls hint at which technique of MITRE ATT&CK: a table of rules.

Arguments are not seen, so some well-known pairs cannot be told and are left out, as a wrong hint
is worse than none: a packet socket (T1557.002) and a question after the network's interfaces
(T1016) are ``socket`` calls like any other, a job of cron is a file (T1053.003), many logins
(T1021.004) are connections, reading ``/proc/self/mem`` (T1003.007) is reading, files that hold
passwords (T1552.001) are files by other names, hinted at as T1005, and ``memfd_create`` says
nothing of what is written to the memory. Where honest work looks the same, the reason says so.
"""

from __future__ import annotations

from oddcall.models.explanation.rule import Need, Rule

_EXEC = ("execve", "execveat")
_DUP = ("dup2", "dup3")
_RENAME = ("rename", "renameat", "renameat2")
_UNLINK = ("unlink", "unlinkat", "rmdir")
_OPEN = ("open", "openat", "openat2")
_READ = ("read", "readv", "pread64", "preadv", "preadv2")
_BEGIN = ("fork", "vfork", "clone", "clone3")
_OWN = (
    *("chmod", "fchmod", "fchmodat", "fchmodat2"),
    *("chown", "lchown", "fchown", "fchownat"),
)
_SET_TIME = ("utime", "utimes", "futimesat", "utimensat")
_WRITE = ("write", "writev", "pwrite64", "pwritev", "pwritev2")
_SEND = ("sendto", "sendmsg", "sendmmsg")
_RECEIVE = ("recvfrom", "recvmsg", "recvmmsg")
_SET_IDS = ("setuid", "setreuid", "setresuid", "setgid", "setregid", "setresgid")
_LOOK = (
    *_OPEN,
    *("stat", "lstat", "newfstatat", "statx"),
    *("access", "faccessat", "faccessat2", "readlink", "readlinkat"),
)

#: Identifiers and names as of ATT&CK for Enterprise, platform Linux or Containers.
RULES: tuple[Rule, ...] = (
    Rule(
        "T1055.008",
        "process injection by ptrace",
        (Need(("ptrace",)),),
        "it is how one process reads and steers another",
    ),
    Rule(
        "T1620",
        "reflective code loading",
        (Need(("memfd_create",)), Need(_EXEC, odd=False)),
        "a file that is only in memory was made in the window that ends in a new program",
    ),
    Rule(
        "T1620",
        "reflective code loading",
        (Need(("execveat",)),),
        "it runs a program by a descriptor, as one that is only in memory is run",
    ),
    Rule(
        "T1611",
        "escape to host",
        (Need(("setns", "unshare")),),
        "they move a process between namespaces, which containers are made of",
    ),
    Rule(
        "T1611",
        "escape to host",
        (Need(("open_by_handle_at",)),),
        "files opened by handle are found past the root that a container is shown",
    ),
    Rule(
        "T1611",
        "escape to host",
        (Need(("mount", "pivot_root", "move_mount", "open_tree")),),
        "they change which file systems a process sees",
    ),
    Rule(
        "T1055",
        "process injection",
        (Need(("process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd")),),
        "they reach into the memory or the descriptors of another process",
    ),
    Rule(
        "T1068",
        "exploitation for privilege escalation",
        (Need(("userfaultfd",)),),
        "it holds the kernel up in the middle of a copy, as exploits of races do; so do virtual "
        "machines that move",
    ),
    Rule(
        "T1068",
        "exploitation for privilege escalation",
        (Need(("msgsnd", "add_key"), at_least=50, working=True),),
        "they have the kernel keep so many pieces of chosen content as exploits fill its memory "
        "with; so do programs that talk by queues of messages",
    ),
    Rule(
        "T1014",
        "a rootkit",
        (Need(("bpf",)),),
        "it puts programs into the kernel, which can hide things as well as count them",
    ),
    Rule(
        "T1555",
        "credentials from password stores",
        (Need(("keyctl", "request_key")),),
        "they ask the keyrings of the kernel, where secrets are kept",
    ),
    Rule(
        "T1489",
        "service stop",
        (Need(("kill", "tkill", "tgkill", "pidfd_send_signal"), at_least=10, working=True),),
        "so many signals are sent as where processes are ended one after another",
    ),
    Rule(
        "T1547.006",
        "loading kernel modules",
        (Need(("init_module", "finit_module")),),
        "they load code into the kernel",
    ),
    Rule(
        "T1548.001",
        "abuse of setuid and setgid",
        (Need(_SET_IDS),),
        "they change the user or group that the process acts as",
    ),
    Rule(
        "T1548",
        "abuse of elevation control",
        (Need(("capset",)),),
        "it changes which of root's powers the process has; giving them up is done so as well",
    ),
    Rule(
        "T1222.002",
        "changing permissions of files and directories",
        (Need(_OWN, at_least=20, working=True),),
        "so many files are given other owners or rights; installing and unpacking do so as well",
    ),
    Rule(
        "T1485",
        "data destruction",
        (Need(_UNLINK, at_least=20, working=True),),
        "so many files are removed in bulk",
    ),
    Rule(
        "T1486",
        "data encrypted for impact",
        (
            Need(_RENAME, at_least=10, working=True),
            Need(_WRITE, at_least=10, odd=False, working=True),
        ),
        "files that are rewritten and renamed in bulk are what ransomware leaves",
    ),
    Rule(
        "T1046",
        "network service discovery",
        (Need(("connect",), at_least=10, failing=True),),
        "connections that are refused one after another are what a port scan looks like, and a "
        "client whose servers are gone",
    ),
    Rule(
        "T1046",
        "network service discovery",
        (Need(("connect",), at_least=100, more_than=(*_READ, *_WRITE, *_SEND, *_RECEIVE)),),
        "connections begun in bulk, over which hardly anything is said, are what a port scan "
        "looks like that does not wait for answers, and a check whether servers still listen",
    ),
    Rule(
        "T1059.004",
        "use of a Unix shell",
        (Need((*_DUP, *_EXEC)), Need(_DUP, odd=False), Need(_EXEC, odd=False)),
        "descriptors were moved and then another program begun, as a shell on a socket is",
    ),
    Rule(
        "T1083",
        "file and directory discovery",
        (Need(_LOOK, at_least=50, failing=True),),
        "looking for files that are not there is what searching a host looks like",
    ),
    Rule(
        "T1005",
        "collecting data from the local system",
        (
            Need(_OPEN, at_least=50, working=True, part=0.02),
            Need(_READ, at_least=50, odd=False, part=0.02),
        ),
        "so many files opened and read in turn are what a search for keys and passwords looks "
        "like, and gathering files to carry off; a backup and any search as well: their names are "
        "not seen",
        unless="T1486",
    ),
    Rule(
        "T1048",
        "exfiltration over a channel of its own",
        (
            Need(("socket", "connect")),
            Need(
                (*_SEND, "sendfile", "splice"),
                at_least=100,
                working=True,
                part=0.05,
                more_than=("socket", "connect", "read", "readv", *_RECEIVE),
            ),
        ),
        "sockets of a kind it did not use, over which far more is sent than comes back, are what "
        "carrying data off looks like, and any upload, and a program that begins to send logs or "
        "metrics",
    ),
    Rule(
        "T1082",
        "system information discovery",
        (Need(("uname", "sysinfo"), at_least=20),),
        "it asks over and over which system it runs on",
    ),
    Rule(
        "T1070.006",
        "timestomping",
        (Need(_SET_TIME, at_least=10, working=True),),
        "it sets the times of files, by which one is made to look old; copying and unpacking do so "
        "as well",
    ),
    Rule(
        "T1070",
        "indicator removal",
        (Need(("truncate", "ftruncate"), at_least=20, working=True),),
        "files cut short one after another are what emptied logs look like; databases and caches "
        "shrink theirs so as well",
    ),
    Rule(
        "T1027.002",
        "software packing",
        (Need(("mprotect", "pkey_mprotect"), at_least=100, working=True, part=0.1),),
        "the rights of memory change as often as where packed code is laid out; so they do where "
        "code is compiled as it runs, and where the heaps of threads grow",
    ),
    Rule(
        "T1106",
        "calling the system past what watches it",
        (Need(via="32-bit "),),
        "32-bit calls have numbers of their own, which filters for 64-bit calls do not know",
    ),
    Rule(
        "T1106",
        "calling the system past what watches it",
        (Need(via="io_uring "),),
        "work handed to the kernel by io_uring is not seen as system calls",
    ),
    Rule(
        "T1496",
        "resource hijacking",
        (Need(("sched_yield",), at_least=100),),
        "threads that yield the processor in a loop are what miners look like",
    ),
    Rule(
        "T1499",
        "endpoint denial of service",
        (Need(_BEGIN, at_least=50, working=True),),
        "processes or threads are begun as fast as to use a host up; builds and pools of workers "
        "begin many as well",
    ),
)
