package spindle.yarn;

import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;

/**
 * Decides how what runs becomes what the driver wants: what to ask for, take, give back, launch and stop, and what
 * to tell the driver. Pure: time and Hadoop's records come in, {@link Steps} come out; the {@link ApplicationMaster}
 * takes them.
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

    /** Ends that are others than the one asked for; how a process ends that is told to says nothing. */
    private static final Set<ExitClass> TELLING = EnumSet.of(ExitClass.MEMORY, ExitClass.PREEMPTED, ExitClass.DISK);

    /** What is to be done now. */
    static final class Steps {
        final List<ContainerRequest> asks = new ArrayList<>();
        /** Asks that are no longer. */
        final List<ContainerRequest> withdrawn = new ArrayList<>();
        final List<Container> releases = new ArrayList<>();
        /** Containers and what to start in them. */
        final Map<Container, List<String>> launches = new LinkedHashMap<>();
        final List<Container> stops = new ArrayList<>();
        /** Lines for the driver. */
        final List<String> lines = new ArrayList<>();
        /** All hosts that the ResourceManager should pass over. */
        Set<String> blacklist;
        /** Whether anything is asked for. */
        boolean asking;
    }

    /** A generation of a slot, from its being wanted to its end. */
    private static final class Entry {
        Target.Slot wanted;
        final long asked_ms;
        ContainerRequest ask;
        /** Null until it has one. */
        Container container;
        boolean stopping;
        /** When its container is given back, though nobody has said that it is over. */
        long release_ms;

        Entry(Target.Slot wanted, long asked_ms) {
            this.wanted = wanted;
            this.asked_ms = asked_ms;
        }
    }

    private final String user;
    private final long spread_timeout_ms;
    private RegisterApplicationMasterResponse limits;
    private int nodes = 1;
    private long free_mb;
    private long rev = -1;
    private Set<String> exclude = new LinkedHashSet<>();
    private String label = "";
    private int last_priority;
    /** The generation of each slot that is wanted and not over. */
    private final Map<Integer, Entry> slots = new TreeMap<>();
    /** By the priority of its ask, which is used once and so its name. */
    private final Map<Integer, Entry> asked = new LinkedHashMap<>();
    /** How many slots each host has. */
    private final Map<String, Integer> placed = new HashMap<>();
    /** By container, those that are stopping too. */
    private final Map<ContainerId, Entry> held = new HashMap<>();
    /** The newest generation of each slot that is over: an older target may still name it. */
    private final Map<Integer, Long> over = new HashMap<>();
    /** How often the share of a host was doubled since something is asked for. */
    private int doubled;
    private long asking_since_ms;
    private long last_placed_ms;
    private long waiting_told_ms;
    private Steps steps = new Steps();

    /** {@code user} is who containers run for. */
    Plan(String user, long spread_timeout_ms) {
        this.user = user;
        this.spread_timeout_ms = spread_timeout_ms;
    }

    /** What must be known before there is a target. */
    void registered(RegisterApplicationMasterResponse limits, int nodes) {
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
    void answer(AllocateResponse answer, long now) {
        List<String> lost = answer.getUpdatedNodes().stream().filter(node -> node.getNodeState().isUnusable())
                .map(node -> node.getNodeId().getHost()).collect(Collectors.toList());
        if (answer.getNumClusterNodes() != nodes || !lost.isEmpty()) {
            nodes = answer.getNumClusterNodes();
            steps.lines.add(Protocol.line("nodes", "usable", nodes, "lost", lost));
        }
        Resource free = answer.getAvailableResources();
        free_mb = free == null ? 0 : free.getMemorySize();
        answer.getCompletedContainersStatuses().forEach(this::completed);
        for (Container container : answer.getAllocatedContainers()) {
            granted(container, now);
        }
    }

    /** The process was started. */
    void launched(Container container) {
        Entry entry = held.get(container.getId());
        if (entry != null && !entry.stopping) {
            tell("started", entry, "log_url", "http://" + container.getNodeHttpAddress() + "/node/containerlogs/"
                    + container.getId() + "/" + user);
        }
    }

    /** The process could not be started. */
    void launchFailed(Container container, String cause) {
        Entry entry = held.get(container.getId());
        if (entry != null && !entry.stopping) {
            steps.releases.add(container);
            end(entry, ExitClass.LAUNCH, ExitClass.NOT_LAUNCHED, cause);
        }
    }

    /** Looks at the clock: gives back what is not over, doubles the share of a host, says who waits. */
    void tick(long now) {
        for (Entry entry : held.values()) {
            if (entry.stopping && now >= entry.release_ms) {
                steps.releases.add(entry.container);
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
            String why = "queue " + limits.getQueue() + ": " + asked_mb + " MB asked, " + free_mb + " MB free on "
                    + nodes + (nodes == 1 ? " node" : " nodes");
            steps.lines.add(Protocol.line("waiting", "slots", waiting,
                    "seconds", (now - asking_since_ms) / 1000, "why", why));
        }
    }

    /** Gives up all that is asked for or held. */
    void stopAll() {
        for (Entry entry : new ArrayList<>(slots.values())) {
            leave(entry, 0);
            if (entry.container != null) {
                steps.releases.add(entry.container);
            }
        }
    }

    private void enter(Target.Slot slot, long now) {
        Entry entry = new Entry(slot, now);
        slots.put(slot.slot, entry);
        long max_memory_mb = limits.getMaximumResourceCapability().getMemorySize();
        if (slot.memory_mb > max_memory_mb) {
            end(entry, ExitClass.LAUNCH, ExitClass.NOT_LAUNCHED, "asks for " + slot.memory_mb
                    + " MB, but the cluster gives a container " + max_memory_mb
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
        // Cores are for the scheduler to look at or not: they are no reason to get nothing.
        int cores = Math.min(entry.wanted.cores, limits.getMaximumResourceCapability().getVirtualCores());
        entry.ask = new ContainerRequest(Resource.newInstance(entry.wanted.memory_mb, cores), null, null,
                Priority.newInstance(++last_priority), true, label.isEmpty() ? null : label);
        asked.put(last_priority, entry);
        steps.asks.add(entry.ask);
    }

    /** Ends a generation that is no longer wanted. */
    private void leave(Entry entry, long now) {
        if (entry.container == null) {
            asked.remove(entry.ask.getPriority().getPriority());
            steps.withdrawn.add(entry.ask);
            end(entry, ExitClass.STOPPED, 0, "no longer wanted");
            return;
        }
        forget(entry);
        entry.stopping = true;
        entry.release_ms = now + RELEASE_AFTER_MS;
        steps.stops.add(entry.container);
    }

    private void granted(Container container, long now) {
        String host = host(container);
        Entry entry = asked.remove(container.getPriority().getPriority());
        if (entry == null) {
            steps.releases.add(container);
            return;
        }
        // Otherwise the client library would ask for it again (YARN-1902).
        steps.withdrawn.add(entry.ask);
        if (exclude.contains(host) || avoided(entry, now).contains(host) || isFull(host)) {
            steps.releases.add(container);
            ask(entry);
            return;
        }
        entry.container = container;
        last_placed_ms = now;
        held.put(container.getId(), entry);
        placed.merge(host, 1, Integer::sum);
        steps.launches.put(container, entry.wanted.argv);
        tell("granted", entry, "memory_mb", container.getResource().getMemorySize());
    }

    private void completed(ContainerStatus status) {
        Entry entry = held.get(status.getContainerId());
        if (entry != null) {
            ExitClass why = ExitClass.of(status.getExitStatus());
            end(entry, entry.stopping && !TELLING.contains(why) ? ExitClass.STOPPED : why, status.getExitStatus(),
                    status.getDiagnostics());
        }
    }

    /** The one line that tells the end of a generation. */
    private void end(Entry entry, ExitClass why, int code, String diagnostics) {
        forget(entry);
        if (entry.container != null) {
            held.remove(entry.container.getId());
        }
        tell("exited", entry, "class", why.wire(), "code", code, "diagnostics", Protocol.shortened(diagnostics));
    }

    private void tell(String type, Entry entry, Object... more) {
        steps.lines.add(Protocol.ofSlot(type, entry.wanted, entry.container, more));
    }

    private static String host(Container container) {
        return container.getNodeId().getHost();
    }

    /** From here on the generation has no place; its container may still be held. */
    private void forget(Entry entry) {
        if (slots.remove(entry.wanted.slot, entry) && entry.container != null) {
            placed.merge(host(entry.container), -1, (before, one) -> before == 1 ? null : before - 1);
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
        return placed.keySet().stream().filter(this::isFull).collect(Collectors.toCollection(TreeSet::new));
    }

    private boolean isFull(String host) {
        int usable = Math.max(1, nodes - exclude.size());
        long share = (slots.size() + usable - 1) / usable;
        return placed.getOrDefault(host, 0) >= share << Math.min(doubled, 16);
    }
}
