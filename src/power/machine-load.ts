/** Whether other programs need the machine. */

/**
 * `load`: the mean number of running threads over the last minute, 0 where the system does not tell (Windows). While the
 * host trains it runs a thread on every core, so others are at work when the load is twice the cores. While it rests, the load
 * is that of the others; it must have gone down well before the host goes on, so that it does not switch to and fro.
 */
export function othersNeedMachine(load: number, cores: number, isResting: boolean): boolean {
  return isResting ? load > 0.75 * cores : load > 2 * cores;
}
