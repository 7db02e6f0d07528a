package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;

/**
 * A driver, a ResourceManager and nodes that do what they like, in an order that the seed decides. It holds the plan
 * to this: no ask is lost, no container is kept that no slot has, and every generation that ends is told once.
 */
final class RandomWorld {
    private static final int STEPS = 200;
    private static final int HOSTS = 3;

    private final String seed;
    private final Random random;
    private final Plan plan = new Plan("someone", 5000);
    private final Set<ContainerRequest> open = new LinkedHashSet<>();
    private final Map<String, Container> alive = new LinkedHashMap<>();
    private final Set<Container> launching = new LinkedHashSet<>();
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
        plan.registered(FakeCluster.registered(), HOSTS);
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
        List<Container> granted = new ArrayList<>();
        for (ContainerRequest ask : new ArrayList<>(open)) {
            if (granted.size() < count) {
                open.remove(ask);
                String host = "h" + random.nextInt(HOSTS);
                Container container = FakeCluster.container(++containers, ask.getPriority().getPriority(), host);
                alive.put(FakeCluster.name(container), container);
                granted.add(container);
            }
        }
        plan.answer(FakeCluster.answer(granted, Collections.emptyList(), HOSTS), now);
    }

    private void launchSome() {
        for (Container container : launching) {
            if (random.nextInt(5) == 0) {
                plan.launchFailed(container, "no");
            } else {
                plan.launched(container);
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
        List<ContainerStatus> completed = Collections.singletonList(FakeCluster.status(container, -100));
        plan.answer(FakeCluster.answer(Collections.emptyList(), completed, HOSTS), now);
    }

    private void obey(Plan.Steps steps) {
        open.removeAll(steps.withdrawn);
        for (ContainerRequest ask : steps.asks) {
            assertTrue(open.add(ask), seed);
        }
        launching.addAll(steps.launches.keySet());
        steps.lines.forEach(this::read);
        for (Container container : steps.releases) {
            if (alive.containsKey(FakeCluster.name(container))) {
                complete(FakeCluster.name(container));
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
