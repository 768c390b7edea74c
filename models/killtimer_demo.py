# Does an absolute CLOCK_BOOTTIME POSIX timer with SIGKILL stop a paused process before its next user instruction?
import ctypes
import os
import signal
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)


class timespec(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]


class itimerspec(ctypes.Structure):
    _fields_ = [("i", timespec), ("v", timespec)]


class sigevent(ctypes.Structure):
    _fields_ = [("val", ctypes.c_void_p), ("signo", ctypes.c_int), ("notify", ctypes.c_int), ("pad", ctypes.c_int * 12)]


CLOCK_BOOTTIME = 7
TIMER_ABSTIME = 1


def arm(deadline):
    t = ctypes.c_void_p()
    se = sigevent(None, signal.SIGKILL, 0)
    if libc.timer_create(CLOCK_BOOTTIME, ctypes.byref(se), ctypes.byref(t)):
        raise OSError(ctypes.get_errno())
    v = itimerspec(timespec(0, 0), timespec(int(deadline), int((deadline % 1) * 1e9)))
    if libc.timer_settime(t, TIMER_ABSTIME, ctypes.byref(v), None):
        raise OSError(ctypes.get_errno())
    return t


if __name__ == "__main__":
    N = int(sys.argv[1])
    late = 0
    died = 0
    fine = 0
    pauses = ("stop",)
    for k in range(N):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(r)
            D = time.clock_gettime(CLOCK_BOOTTIME) + 0.05
            arm(D)
            while True:
                now = time.clock_gettime(CLOCK_BOOTTIME)
                if now <= D:  # check
                    os.write(w, b"x")  # 'pet'
                else:
                    os.write(w, b"!")  # must never be reached
        os.close(w)
        time.sleep(0.02 * (k % 3) / 2 + 0.005)
        os.kill(pid, signal.SIGSTOP)
        # drain what was written so far
        os.set_blocking(r, False)
        time.sleep(0.01)
        try:
            while os.read(r, 65536):
                pass
        except BlockingIOError:
            pass
        time.sleep(0.08)  # deadline passes while stopped
        os.kill(pid, signal.SIGCONT) if os.path.exists(f"/proc/{pid}") else None
        time.sleep(0.02)
        try:
            extra = os.read(r, 65536)
        except BlockingIOError:
            extra = b""
        _, st = os.waitpid(pid, 0)
        os.close(r)
        died += os.WIFSIGNALED(st) and os.WTERMSIG(st) == signal.SIGKILL
        late += len(extra) > 0
    print("runs", N, "killed by the timer", died, "pets after the deadline", late)
