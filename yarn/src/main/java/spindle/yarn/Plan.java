package spindle.yarn;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Decides how what runs becomes what the driver wants: what to ask for, take, give back, launch and stop, and what
 * to tell the driver. Pure: time comes in, {@link Steps} come out; the {@link ApplicationMaster} takes them.
 *
 * <p>Containers are spread: a host takes at most its share of the slots. Hosts that are full are blacklisted while
 * something is asked for; when nothing was given for a while because of that, the share is doubled.
 */
final class Plan {
    private static final long WAITING_EVERY_MS = 10_000;
    /**
     * How long a node may take to say how a container ended that is to be stopped. Often it is ending already, and
     * that is why it is to be stopped: given back at once, it would have ended because it was given back.
     */
    private static final long RELEASE_AFTER_MS = 5_000;

    /** What is to be done now. */
    static final class Steps {
        final List<Cluster.Ask> asks = new ArrayList<>();
        /** Priorities of asks that are no longer. */
        final List<Integer> withdrawn = new ArrayList<>();
        final List<Cluster.Grant> releases = new ArrayList<>();
        final List<Launch> launches = new ArrayList<>();
        final List<Cluster.Grant> stops = new ArrayList<>();
        /** Lines for the driver. */
        final List<String> lines = new ArrayList<>();
        /** All hosts that the ResourceManager should pass over. */
        Set<String> blacklist;
        /** Whether anything is asked for. */
        boolean asking;
    }

    /** A process to start in a container. */
    static final class Launch {
        final Cluster.Grant grant;
        final List<String> argv;

        Launch(Cluster.Grant grant, List<String> argv) {
            this.grant = grant;
            this.argv = argv;
        }
    }

    /** A generation of a slot, from its being wanted to its end. */
    private static final class Entry {
        Target.Slot wanted;
        final long asked_ms;
        int priority;
        /** Null until it has a container. */
        Cluster.Grant grant;
        boolean stopping;
        /** When its container is given back, though nobody has said that it is over. */
        long release_ms;

        Entry(Target.Slot wanted, long asked_ms) {
            this.wanted = wanted;
            this.asked_ms = asked_ms;
        }
    }

    private final long spread_timeout_ms;
    private Cluster.Registered limits;
    private int nodes = 1;
    private int free_mb;
    private long rev = -1;
    private Set<String> exclude = new LinkedHashSet<>();
    private String label = "";
    private int last_priority;
    /** The generation of each slot that is wanted and not over. */
    private final Map<Integer, Entry> slots = new TreeMap<>();
    private final Map<Integer, Entry> asked = new LinkedHashMap<>();
    /** How many slots each host has. */
    private final Map<String, Integer> placed = new HashMap<>();
    /** By container, those that are stopping too. */
    private final Map<String, Entry> held = new HashMap<>();
    /** The newest generation of each slot that is over: an older target may still name it. */
    private final Map<Integer, Long> over = new HashMap<>();
    /** How often the share of a host was doubled since something is asked for. */
    private int doubled;
    private long asking_since_ms;
    private long last_placed_ms;
    private long waiting_told_ms;
    private Steps steps = new Steps();

    Plan(long spread_timeout_ms) {
        this.spread_timeout_ms = spread_timeout_ms;
    }

    /** What must be known before there is a target. */
    void registered(Cluster.Registered limits, int nodes) {
        this.limits = limits;
        this.nodes = nodes;
    }

    /** What there is to do since the last call. */
    Steps take(long now) {
        Steps taken = steps;
        steps = new Steps();
        taken.asking = !asked.isEmpty();
        taken.blacklist = taken.asking ? passedOver(now) : exclude;
        return taken;
    }

    /** Takes what is wanted from now on; an older or equal revision is none. */
    void target(Target target, long now) {
        if (target.rev <= rev) {
            return;
        }
        rev = target.rev;
        exclude = target.exclude;
        label = target.label;
        Map<Integer, Target.Slot> wanted = new LinkedHashMap<>();
        for (Target.Slot slot : target.slots) {
            wanted.put(slot.slot, slot);
        }
        for (Entry entry : new ArrayList<>(slots.values())) {
            Target.Slot slot = wanted.get(entry.wanted.slot);
            if (slot == null || slot.gen != entry.wanted.gen) {
                leave(entry, now);
            } else {
                entry.wanted = slot;
            }
        }
        for (Target.Slot slot : wanted.values()) {
            boolean known = slots.containsKey(slot.slot) || slot.gen <= over.getOrDefault(slot.slot, -1L);
            if (!known) {
                enter(slot, now);
            }
        }
    }

    /** Takes the news of one heartbeat. */
    void answer(Cluster.Answer answer, long now) {
        if (answer.nodes != nodes || !answer.lost_hosts.isEmpty()) {
            steps.lines.add(Protocol.nodes(answer.nodes, answer.lost_hosts));
        }
        nodes = answer.nodes;
        free_mb = answer.free_mb;
        for (Cluster.Completed completed : answer.completed) {
            completed(completed);
        }
        for (Cluster.Grant grant : answer.granted) {
            granted(grant, now);
        }
    }

    /** The process was started. */
    void launched(Cluster.Grant grant) {
        Entry entry = held.get(grant.container);
        if (entry != null && !entry.stopping) {
            steps.lines.add(Protocol.started(entry.wanted, grant));
        }
    }

    /** The process could not be started. */
    void launchFailed(Cluster.Grant grant, String cause) {
        Entry entry = held.get(grant.container);
        if (entry != null && !entry.stopping) {
            steps.releases.add(grant);
            end(entry, ExitClass.LAUNCH, ExitClass.NOT_LAUNCHED, cause);
        }
    }

    /** Looks at the clock: gives back what is not over, doubles the share of a host, says who waits. */
    void tick(long now) {
        for (Entry entry : held.values()) {
            if (entry.stopping && now >= entry.release_ms) {
                steps.releases.add(entry.grant);
                entry.release_ms = Long.MAX_VALUE;
            }
        }
        if (asked.isEmpty()) {
            return;
        }
        if (now - last_placed_ms >= spread_timeout_ms && !fullHosts().isEmpty()) {
            doubled++;
            last_placed_ms = now;
        }
        if (now - waiting_told_ms >= WAITING_EVERY_MS) {
            waiting_told_ms = now;
            Set<Integer> waiting = new TreeSet<>();
            long asked_mb = 0;
            for (Entry entry : asked.values()) {
                waiting.add(entry.wanted.slot);
                asked_mb += entry.wanted.memory_mb;
            }
            String why = "queue " + limits.queue + ": " + asked_mb + " MB asked, " + free_mb + " MB free on "
                    + nodes + (nodes == 1 ? " node" : " nodes");
            steps.lines.add(Protocol.waiting(waiting, (now - asking_since_ms) / 1000, why));
        }
    }

    /** Gives up all that is asked for or held. */
    void stopAll() {
        for (Entry entry : new ArrayList<>(slots.values())) {
            leave(entry, 0);
            if (entry.grant != null) {
                steps.releases.add(entry.grant);
            }
        }
    }

    private void enter(Target.Slot slot, long now) {
        Entry entry = new Entry(slot, now);
        slots.put(slot.slot, entry);
        if (slot.memory_mb > limits.max_memory_mb) {
            end(entry, ExitClass.LAUNCH, ExitClass.NOT_LAUNCHED, "asks for " + slot.memory_mb
                    + " MB, but the cluster gives a container " + limits.max_memory_mb
                    + " MB at most: lower executors.memory or raise yarn.scheduler.maximum-allocation-mb");
            return;
        }
        if (asked.isEmpty()) {
            asking_since_ms = now;
            last_placed_ms = now;
            waiting_told_ms = now;
            doubled = 0;
        }
        ask(entry);
    }

    private void ask(Entry entry) {
        entry.priority = ++last_priority;
        asked.put(entry.priority, entry);
        // Cores are for the scheduler to look at or not: they are no reason to get nothing.
        int cores = Math.min(entry.wanted.cores, limits.max_cores);
        steps.asks.add(new Cluster.Ask(entry.priority, entry.wanted.memory_mb, cores, label.isEmpty() ? null : label));
    }

    /** Ends a generation that is no longer wanted. */
    private void leave(Entry entry, long now) {
        if (entry.grant == null) {
            asked.remove(entry.priority);
            steps.withdrawn.add(entry.priority);
            end(entry, ExitClass.STOPPED, 0, "no longer wanted");
            return;
        }
        forget(entry);
        entry.stopping = true;
        entry.release_ms = now + RELEASE_AFTER_MS;
        steps.stops.add(entry.grant);
    }

    private void granted(Cluster.Grant grant, long now) {
        Entry entry = asked.remove(grant.priority);
        if (entry == null) {
            steps.releases.add(grant);
            return;
        }
        // Otherwise the client library would ask for it again (YARN-1902).
        steps.withdrawn.add(grant.priority);
        if (exclude.contains(grant.host) || avoided(entry, now).contains(grant.host) || isFull(grant.host)) {
            steps.releases.add(grant);
            ask(entry);
            return;
        }
        entry.grant = grant;
        last_placed_ms = now;
        held.put(grant.container, entry);
        placed.merge(grant.host, 1, Integer::sum);
        steps.launches.add(new Launch(grant, entry.wanted.argv));
        steps.lines.add(Protocol.granted(entry.wanted, grant));
    }

    private void completed(Cluster.Completed completed) {
        Entry entry = held.get(completed.container);
        if (entry != null) {
            ExitClass why = ExitClass.of(completed.status);
            end(entry, entry.stopping && !tells(why) ? ExitClass.STOPPED : why, completed.status,
                    completed.diagnostics);
        }
    }

    /** Whether an end is another than the one that was asked for: how a process ends that is told to says nothing. */
    private static boolean tells(ExitClass why) {
        return why == ExitClass.MEMORY || why == ExitClass.PREEMPTED || why == ExitClass.DISK;
    }

    /** The one line that tells the end of a generation. */
    private void end(Entry entry, ExitClass why, int code, String diagnostics) {
        forget(entry);
        if (entry.grant != null) {
            held.remove(entry.grant.container);
        }
        steps.lines.add(Protocol.exited(entry.wanted, entry.grant, why, code, diagnostics));
    }

    /** From here on the generation has no place; its container may still be held. */
    private void forget(Entry entry) {
        if (slots.remove(entry.wanted.slot, entry) && entry.grant != null) {
            placed.merge(entry.grant.host, -1, (before, one) -> before == 1 ? null : before - 1);
        }
        over.merge(entry.wanted.slot, entry.wanted.gen, Math::max);
    }

    /** All that a request should not get: excluded, avoided by one that asks, and full hosts. */
    private Set<String> passedOver(long now) {
        Set<String> hosts = fullHosts();
        hosts.addAll(exclude);
        for (Entry entry : asked.values()) {
            hosts.addAll(avoided(entry, now));
        }
        return hosts;
    }

    private Set<String> avoided(Entry entry, long now) {
        boolean waited = now - entry.asked_ms >= spread_timeout_ms;
        return waited ? Collections.<String>emptySet() : entry.wanted.avoid;
    }

    private Set<String> fullHosts() {
        Set<String> hosts = new TreeSet<>();
        for (String host : placed.keySet()) {
            if (isFull(host)) {
                hosts.add(host);
            }
        }
        return hosts;
    }

    private boolean isFull(String host) {
        int usable = Math.max(1, nodes - exclude.size());
        long share = (slots.size() + usable - 1) / usable;
        return placed.getOrDefault(host, 0) >= share << Math.min(doubled, 16);
    }
}
