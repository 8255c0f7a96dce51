/** Who a process is, so that another process can tell later whether it still runs, although process ids are reused. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  pid: number;
  /** The boot and the pid namespace in which `pid` means something (Linux), or the host's name. */
  machine: string;
  /** When the process started, in clock ticks since boot (Linux); null where the system does not say. */
  started: string | null;
}

let own: ProcessIdentity | undefined;

export function thisProcess(): ProcessIdentity {
  own ??= { pid: process.pid, machine: machine(), started: statOf(process.pid)?.started ?? null };
  return own;
}

/** 'unknown': the process cannot be judged from here; its heartbeat decides. */
export function processState(identity: ProcessIdentity): 'running' | 'ended' | 'unknown' {
  const self = thisProcess();
  if (identity.machine !== self.machine) return 'unknown';
  if (self.started !== null && identity.started !== null) {
    const stat = statOf(identity.pid);
    // A zombie has ended; only its parent has not asked for the exit status yet.
    const ended = stat === null || stat.state === 'Z' || stat.state === 'X' || stat.started !== identity.started;
    return ended ? 'ended' : 'running';
  }
  try {
    process.kill(identity.pid, 0);
    return identity.pid === self.pid ? 'running' : 'unknown';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'ended' : 'unknown';
  }
}

function machine(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}

/** Fields 3 and 22 of /proc/<pid>/stat (proc_pid_stat(5)); null where there is no such process or no /proc. */
function statOf(pid: number): { state: string; started: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses, which may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, started] = [fields[0], fields[19]];
    return state === undefined || started === undefined ? null : { state, started };
  } catch {
    return null;
  }
}
