"""What a process of the benchmark is: on which core it runs, what it has used, and what its sockets have carried."""

import os
import resource
import socket
import stat
import struct
from pathlib import Path

HOST = "127.0.0.1"


def pin(core: int | None) -> None:
    """Run on this core only, and let the process have as many sockets as it may."""
    if core is not None and core < (os.cpu_count() or 1):
        os.sched_setaffinity(0, {core})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))


def resident() -> int:
    """Bytes of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def carried() -> tuple[int, int]:
    """Bytes that the TCP connections of this process have sent and received, as the kernel counts them."""
    sent = received = 0
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                if connection.family not in (socket.AF_INET, socket.AF_INET6):
                    continue
                information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # the descriptor of the folder itself, which is closed
            continue
        # struct tcp_info of linux/tcp.h: bytes_received, then bytes_sent and bytes_retrans
        sent += struct.unpack_from("Q", information, 200)[0] - struct.unpack_from("Q", information, 208)[0]
        received += struct.unpack_from("Q", information, 128)[0]
    return sent, received
