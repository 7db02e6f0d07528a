package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/**
 * A driver, a ResourceManager and nodes that do what they like, in an order that the seed decides. It holds the plan
 * to this: no ask is lost, no container is kept that no slot has, and every generation that ends is told once.
 */
final class RandomWorld {
    private static final int STEPS = 200;
    private static final int HOSTS = 3;

    private final String seed;
    private final Random random;
    private final Plan plan = new Plan(5000);
    private final Map<Integer, Cluster.Ask> open = new LinkedHashMap<>();
    private final Map<String, Cluster.Grant> alive = new LinkedHashMap<>();
    private final Map<String, Cluster.Grant> launching = new LinkedHashMap<>();
    private final Map<Integer, Long> wanted = new TreeMap<>();
    private final Map<Integer, Long> gens = new HashMap<>();
    private final Set<String> ended = new HashSet<>();
    private final Map<String, String> container_of = new HashMap<>();
    private long now = 1;
    private long rev;
    private int containers;

    RandomWorld(long seed) {
        this.seed = "seed " + seed;
        random = new Random(seed);
        plan.registered(new Cluster.Registered(4096, 4, "q"), HOSTS);
    }

    void run() {
        for (int step = 0; step < STEPS; step++) {
            now += random.nextInt(3000);
            act(random.nextInt(6));
            plan.tick(now);
            obey(plan.take(now));
        }
        settle();
        Set<String> running = new HashSet<>();
        wanted.forEach((slot, gen) -> running.add(slot + "." + gen));
        assertEquals(running, container_of.keySet(), seed);
        assertEquals(new HashSet<>(container_of.values()), alive.keySet(), seed);
        assertTrue(open.isEmpty(), seed);
    }

    private void act(int what) {
        switch (what) {
            case 0:
                newTarget();
                break;
            case 1:
            case 2:
                grantSome(random.nextInt(3));
                break;
            case 3:
                launchSome();
                break;
            case 4:
                loseOne();
                break;
            default:
                now += random.nextInt(6000);
        }
    }

    /** Runs on without accidents until the plan has what it wants. */
    private void settle() {
        for (int i = 0; i < 100; i++) {
            replaceEnded();
            now += 1000;
            plan.tick(now);
            obey(plan.take(now));
            grantSome(open.size());
            launchSome();
            obey(plan.take(now));
        }
    }

    private void newTarget() {
        int count = random.nextInt(6);
        wanted.keySet().removeIf(slot -> slot >= count);
        for (int slot = 0; slot < count; slot++) {
            if (!wanted.containsKey(slot) || random.nextInt(4) == 0) {
                wanted.put(slot, gens.merge(slot, 1L, Long::sum));
            }
        }
        send();
    }

    private void replaceEnded() {
        boolean any = false;
        for (Map.Entry<Integer, Long> entry : wanted.entrySet()) {
            if (ended.contains(entry.getKey() + "." + entry.getValue())) {
                entry.setValue(gens.merge(entry.getKey(), 1L, Long::sum));
                any = true;
            }
        }
        if (any) {
            send();
        }
    }

    private void send() {
        List<Target.Slot> slots = new ArrayList<>();
        wanted.forEach((slot, gen) -> slots.add(PlanTest.slot(slot, gen, "h" + random.nextInt(HOSTS))));
        Target target = new Target();
        target.rev = ++rev;
        target.slots = slots;
        target.exclude = random.nextInt(4) == 0 ? Collections.singleton("h0") : Collections.<String>emptySet();
        plan.target(target, now);
    }

    private void grantSome(int count) {
        List<Cluster.Grant> granted = new ArrayList<>();
        for (Cluster.Ask ask : new ArrayList<>(open.values())) {
            if (granted.size() < count) {
                open.remove(ask.priority);
                String host = "h" + random.nextInt(HOSTS);
                Cluster.Grant grant = new Cluster.Grant(ask.priority, "c" + ++containers, host, 256, "");
                alive.put(grant.container, grant);
                granted.add(grant);
            }
        }
        plan.answer(new Cluster.Answer(granted, Collections.emptyList(), Collections.emptyList(), HOSTS, 0), now);
    }

    private void launchSome() {
        for (Cluster.Grant grant : launching.values()) {
            if (random.nextInt(5) == 0) {
                plan.launchFailed(grant, "no");
            } else {
                plan.launched(grant);
            }
        }
        launching.clear();
    }

    private void loseOne() {
        if (!alive.isEmpty()) {
            List<String> names = new ArrayList<>(alive.keySet());
            complete(names.get(random.nextInt(names.size())));
        }
    }

    private void complete(String container) {
        alive.remove(container);
        Cluster.Completed completed = new Cluster.Completed(container, -100, "");
        plan.answer(new Cluster.Answer(Collections.emptyList(), Collections.singletonList(completed),
                Collections.emptyList(), HOSTS, 0), now);
    }

    private void obey(Plan.Steps steps) {
        for (int priority : steps.withdrawn) {
            open.remove(priority);
        }
        for (Cluster.Ask ask : steps.asks) {
            assertTrue(open.put(ask.priority, ask) == null, seed);
        }
        for (Plan.Launch launch : steps.launches) {
            launching.put(launch.grant.container, launch.grant);
        }
        steps.lines.forEach(this::read);
        for (Cluster.Grant grant : steps.releases) {
            if (alive.containsKey(grant.container)) {
                complete(grant.container);
            }
        }
        if (!steps.releases.isEmpty()) {
            obey(plan.take(now));
        }
    }

    private void read(String line) {
        String type = PlanTest.field(line, "type");
        if (type.equals("granted") || type.equals("exited")) {
            String slot = PlanTest.field(line, "slot") + "." + PlanTest.field(line, "gen");
            assertTrue(!ended.contains(slot), seed + ": " + slot + " is over: " + line);
            if (type.equals("granted")) {
                container_of.put(slot, PlanTest.field(line, "container"));
            } else {
                ended.add(slot);
                container_of.remove(slot);
            }
        }
    }
}
