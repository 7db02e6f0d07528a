package spindle.yarn;

import static java.util.Arrays.asList;
import static java.util.Collections.emptyList;
import static java.util.stream.Collectors.toList;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.NodeId;
import org.apache.hadoop.yarn.api.records.NodeReport;
import org.apache.hadoop.yarn.api.records.NodeState;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The plan against an imagined ResourceManager, step by step. A slot is written slot.gen, a container name@host. */
class PlanTest {
    private static final long TIMEOUT_MS = 5000;

    private final Plan plan = new Plan("someone", TIMEOUT_MS);
    private long now = 1_000_000;
    private int containers;
    private LinkedHashSet<String> excluded = new LinkedHashSet<>();

    @BeforeEach
    void registered() {
        plan.registered(FakeCluster.registered(), 2);
    }

    @Test
    void asks_once_for_each_slot_by_a_priority_of_its_own() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1));
        Plan.Steps steps = take();
        assertEquals(asList(1, 2, 3), priorities(steps.asks));
        assertEquals(256, steps.asks.get(0).getCapability().getMemorySize());
        assertTrue(steps.asking);
        assertTrue(take().asks.isEmpty());
    }

    @Test
    void a_grant_is_launched_withdrawn_and_told() {
        target(1, slot(0, 7));
        take();
        Container grant = grant(1, "h1");
        answer(grant);
        Plan.Steps steps = take();
        assertEquals(asList(1), priorities(steps.withdrawn));
        assertEquals(Collections.singletonMap(grant, asList("./spindle", "executor")), steps.launches);
        assertEquals(asList("granted 0.7 c1@h1"), told(steps));
        assertFalse(steps.asking);
        plan.launched(grant);
        steps = take();
        assertEquals(asList("started 0.7 c1@h1"), told(steps));
        assertTrue(steps.lines.get(0).endsWith(
                "\"log_url\":\"http://h1:8042/node/containerlogs/container_17_0001_02_000001/someone\"}"), steps.lines::toString);
    }

    @Test
    void what_nobody_asked_for_is_given_back() {
        target(1, slot(0, 1));
        take();
        answer(grant(1, "h1"));
        take();
        Container again = grant(1, "h2");
        Container unknown = grant(99, "h2");
        answer(again, unknown);
        Plan.Steps steps = take();
        assertEquals(asList(again, unknown), steps.releases);
        assertTrue(steps.launches.isEmpty() && steps.lines.isEmpty());
    }

    @Test
    void an_older_or_equal_revision_changes_nothing() {
        target(5, slot(0, 1));
        take();
        target(5);
        target(4, slot(0, 1), slot(1, 1));
        assertNothing(take());
    }

    @Test
    void the_same_target_again_changes_nothing() {
        target(1, slot(0, 1), slot(1, 1));
        take();
        answer(grant(1, "h1"));
        take();
        target(2, slot(0, 1), slot(1, 1));
        assertNothing(take());
    }

    @Test
    void a_host_takes_no_more_than_its_share() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1), slot(3, 1));
        take();
        Container third = grant(3, "h1");
        answer(grant(1, "h1"), grant(2, "h1"), third);
        Plan.Steps steps = take();
        assertEquals(asList("granted 0.1 c2@h1", "granted 1.1 c3@h1"), told(steps));
        assertEquals(asList(third), steps.releases);
        assertEquals(asList(1, 2, 3), priorities(steps.withdrawn));
        assertEquals(asList(5), priorities(steps.asks), "asked anew, by a new name");
        assertEquals(asList("h1"), new ArrayList<>(steps.blacklist));
        answer(grant(5, "h2"), grant(4, "h2"));
        steps = take();
        assertEquals(asList("granted 2.1 c4@h2", "granted 3.1 c5@h2"), told(steps));
        assertTrue(steps.blacklist.isEmpty(), "nothing is asked for");
    }

    @Test
    void the_share_is_rounded_up() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1));
        answer(grant(1, "h1"), grant(2, "h1"));
        assertEquals(2, take().launches.size());
    }

    @Test
    void a_full_host_takes_more_when_nothing_else_was_given_for_a_while() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1), slot(3, 1));
        answer(grant(1, "h1"), grant(2, "h1"));
        take();
        now += TIMEOUT_MS - 1;
        plan.tick(now);
        assertEquals(1, take().blacklist.size());
        now += 1;
        plan.tick(now);
        assertTrue(take().blacklist.isEmpty());
        answer(grant(3, "h1"), grant(4, "h1"));
        assertEquals(asList("granted 2.1 c3@h1", "granted 3.1 c4@h1"), told(take()));
    }

    @Test
    void the_share_is_doubled_once_a_while() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1), slot(3, 1));
        answer(1, grant(1, "h1"), grant(2, "h1"), grant(3, "h1"));
        answer(4); // more nodes: now one slot is the share of each
        now += TIMEOUT_MS;
        plan.tick(now);
        plan.tick(now);
        assertEquals(1, take().blacklist.size(), "two, of which it has three");
        now += TIMEOUT_MS;
        plan.tick(now);
        assertTrue(take().blacklist.isEmpty());
    }

    @Test
    void a_grant_starts_the_while_again() {
        plan.registered(FakeCluster.registered(), 3);
        target(1, slot(0, 1), slot(1, 1), slot(2, 1));
        answer(3, grant(1, "h1"));
        now += TIMEOUT_MS - 1;
        answer(3, grant(2, "h2"));
        now += TIMEOUT_MS - 1;
        plan.tick(now);
        assertEquals(2, take().blacklist.size());
    }

    @Test
    void waiting_alone_gives_no_host_more() {
        target(1, slot(0, 1), slot(1, 1));
        now += 10 * TIMEOUT_MS;
        plan.tick(now); // no host is full: it is the cluster that has no room
        answer(grant(1, "h1"));
        take();
        Container second = grant(2, "h1");
        answer(second);
        assertEquals(asList(second), take().releases);
    }

    @Test
    void the_share_is_as_before_once_all_have_a_container() {
        target(1, slot(0, 1), slot(1, 1));
        answer(grant(1, "h1"));
        now += TIMEOUT_MS;
        plan.tick(now);
        answer(grant(2, "h1"));
        take();
        completed("c2", 1);
        target(2, slot(0, 1), slot(1, 2));
        Container again = grant(3, "h1");
        take();
        answer(again);
        assertEquals(asList(again), take().releases);
    }

    @Test
    void a_host_is_free_again_when_its_slot_leaves() {
        target(1, slot(0, 1), slot(1, 1));
        answer(grant(1, "h1"));
        assertEquals(1, take().blacklist.size());
        completed("c1", 137);
        Plan.Steps steps = take();
        assertTrue(steps.blacklist.isEmpty());
        assertEquals(asList("exited 0.1 c1@h1 killed 137"), told(steps));
    }

    @Test
    void excluded_hosts_get_nothing_for_as_long_as_they_are() {
        exclude("h1");
        target(1, slot(0, 1));
        assertEquals(asList("h1"), new ArrayList<>(take().blacklist));
        now += 10 * TIMEOUT_MS;
        plan.tick(now);
        Container grant = grant(1, "h1");
        answer(grant);
        Plan.Steps steps = take();
        assertEquals(asList(grant), steps.releases);
        answer(grant(2, "h2"));
        steps = take();
        assertEquals(asList("granted 0.1 c2@h2"), told(steps));
        assertEquals(asList("h1"), new ArrayList<>(steps.blacklist), "also while nothing is asked for");
        exclude();
        target(2, slot(0, 1));
        assertTrue(take().blacklist.isEmpty());
    }

    @Test
    void the_share_does_not_count_on_excluded_hosts() {
        exclude("h2");
        target(1, slot(0, 1), slot(1, 1));
        answer(grant(1, "h1"), grant(2, "h1"));
        assertEquals(2, take().launches.size());
    }

    @Test
    void what_runs_on_a_host_that_is_excluded_later_stays() {
        target(1, slot(0, 1));
        answer(grant(1, "h1"));
        take();
        exclude("h1");
        target(2, slot(0, 1));
        Plan.Steps steps = take();
        assertTrue(steps.stops.isEmpty() && steps.releases.isEmpty());
    }

    @Test
    void an_avoided_host_is_passed_over_for_a_while() {
        target(1, slot(0, 2, "h1"));
        assertEquals(asList("h1"), new ArrayList<>(take().blacklist));
        Container refused = grant(1, "h1");
        answer(refused);
        assertEquals(asList(refused), take().releases);
        now += TIMEOUT_MS;
        plan.tick(now);
        assertTrue(take().blacklist.isEmpty());
        answer(grant(2, "h1"));
        assertEquals(asList("granted 0.2 c2@h1"), told(take()));
    }

    @Test
    void an_avoided_host_is_good_enough_for_the_others() {
        target(1, slot(0, 2, "h1"), slot(1, 1));
        answer(grant(2, "h1"));
        assertEquals(asList("granted 1.1 c1@h1"), told(take()));
    }

    @Test
    void fewer_slots_withdraw_asks_and_stop_containers() {
        target(1, slot(0, 1), slot(1, 1));
        Container grant = grant(1, "h1");
        answer(grant);
        take();
        target(2);
        Plan.Steps steps = take();
        assertEquals(asList(2), priorities(steps.withdrawn));
        assertEquals(asList(grant), steps.stops);
        assertEquals(asList("exited 1.1 null@null stopped 0"), told(steps));
        now += 4_999;
        plan.tick(now);
        assertTrue(take().releases.isEmpty(), "its node has a while to say how it ended");
        now += 1;
        plan.tick(now);
        assertEquals(asList(grant), take().releases);
        plan.tick(now);
        assertTrue(take().releases.isEmpty(), "once");
        completed("c1", -100);
        assertEquals(asList("exited 0.1 c1@h1 stopped -100"), told(take()));
        completed("c1", -100);
        assertNothing(take());
    }

    /** The driver sees the connection close before the node says why. */
    @Test
    void why_a_container_was_ending_already_is_told_though_it_is_to_be_stopped() {
        target(1, slot(0, 1));
        int generation = 1;
        for (String told : asList("memory -104", "preempted -102", "disk -101", "stopped 137", "stopped -105")) {
            answer(grant(generation, "h1"));
            target(generation + 1, slot(0, generation + 1));
            take();
            completed("c" + generation, Integer.parseInt(told.split(" ")[1]));
            assertEquals(asList("exited 0." + generation + " c" + generation + "@h1 " + told), told(take()));
            generation++;
        }
    }

    @Test
    void a_grant_that_crosses_its_withdrawal_is_given_back() {
        target(1, slot(0, 1));
        target(2);
        take();
        Container late = grant(1, "h1");
        answer(late);
        assertEquals(asList(late), take().releases);
    }

    @Test
    void a_new_generation_asks_at_once_and_stops_the_old() {
        target(1, slot(0, 1));
        Container old = grant(1, "h1");
        answer(old);
        plan.launched(old);
        take();
        target(2, slot(0, 2));
        Plan.Steps steps = take();
        assertEquals(asList(old), steps.stops);
        assertEquals(asList(2), priorities(steps.asks));
        answer(grant(2, "h1"));
        take();
        completed("c1", 143);
        assertEquals(asList("exited 0.1 c1@h1 stopped 143"), told(take()), "the new one is not touched");
        completed("c2", 1);
        assertEquals(asList("exited 0.2 c2@h1 failed 1"), told(take()));
    }

    @Test
    void a_place_becomes_free_once() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1), slot(3, 1));
        answer(grant(1, "h1"), grant(2, "h1"), grant(3, "h2"));
        target(2, slot(0, 2), slot(1, 1), slot(2, 1), slot(3, 1));
        completed("c1", -100); // was free when it was told to stop
        take();
        Container third = grant(5, "h1");
        answer(grant(4, "h1"), third);
        assertEquals(asList(third), take().releases);
    }

    @Test
    void a_stopping_container_takes_no_place() {
        target(1, slot(0, 1), slot(1, 1));
        answer(grant(1, "h1"), grant(2, "h2"));
        target(2, slot(0, 2), slot(1, 1));
        take();
        answer(grant(3, "h1"));
        assertEquals(asList("granted 0.2 c3@h1"), told(take()));
    }

    @Test
    void a_generation_that_is_over_does_not_come_back() {
        target(1, slot(0, 1));
        answer(grant(1, "h1"));
        completed("c1", -100);
        assertEquals(asList("granted 0.1 c1@h1", "exited 0.1 c1@h1 node -100"), told(take()));
        target(2, slot(0, 1)); // crossed with the news of its end
        assertNothing(take());
        target(3, slot(0, 2));
        assertEquals(1, take().asks.size());
    }

    @Test
    void an_older_generation_is_not_started_for_a_newer_one() {
        target(1, slot(0, 2));
        take();
        target(2, slot(0, 1));
        Plan.Steps steps = take();
        assertEquals(asList("exited 0.2 null@null stopped 0"), told(steps));
        assertTrue(steps.asks.isEmpty());
    }

    @Test
    void a_failed_launch_gives_the_container_back() {
        target(1, slot(0, 1));
        Container grant = grant(1, "h1");
        answer(grant);
        take();
        plan.launchFailed(grant, "no route to host");
        Plan.Steps steps = take();
        assertEquals(asList(grant), steps.releases);
        assertEquals(asList("exited 0.1 c1@h1 launch -1000"), told(steps));
        assertTrue(steps.lines.get(0).contains("no route to host"));
        completed("c1", -100);
        plan.launched(grant);
        plan.launchFailed(grant, "again");
        assertNothing(take());
    }

    @Test
    void a_launch_that_ends_after_its_slot_is_told_once() {
        target(1, slot(0, 1));
        Container grant = grant(1, "h1");
        answer(grant);
        target(2);
        take();
        plan.launched(grant);
        plan.launchFailed(grant, "killed");
        assertNothing(take());
        completed("c1", -100);
        assertEquals(asList("exited 0.1 c1@h1 stopped -100"), told(take()));
    }

    @Test
    void losses_are_told_by_their_class() {
        target(1, slot(0, 1), slot(1, 1), slot(2, 1), slot(3, 1));
        answer(grant(1, "h1"), grant(2, "h1"), grant(3, "h2"), grant(4, "h2"));
        take();
        completed("c1", -102);
        completed("c2", -104);
        completed("c3", -101);
        completed("c4", 12);
        assertEquals(asList("exited 0.1 c1@h1 preempted -102", "exited 1.1 c2@h1 memory -104",
                "exited 2.1 c3@h2 disk -101", "exited 3.1 c4@h2 failed 12"), told(take()));
    }

    @Test
    void lost_nodes_are_told() {
        target(1, slot(0, 1));
        take();
        AllocateResponse answer = FakeCluster.answer(emptyList(), emptyList(), 1);
        answer.setUpdatedNodes(asList(node("h2", NodeState.LOST), node("h1", NodeState.RUNNING)));
        plan.answer(answer, now);
        assertEquals(asList("{\"type\":\"nodes\",\"usable\":1,\"lost\":[\"h2\"]}"), take().lines);
        answer(2);
        assertEquals(asList("{\"type\":\"nodes\",\"usable\":2,\"lost\":[]}"), take().lines);
        answer(2);
        assertTrue(take().lines.isEmpty());
    }

    @Test
    void who_waits_is_told_every_ten_seconds() {
        target(1, slot(3, 1), slot(4, 1));
        take();
        answer();
        now += 9_999;
        plan.tick(now);
        assertTrue(take().lines.isEmpty());
        now += 1;
        plan.tick(now);
        plan.tick(now);
        assertEquals(asList("{\"type\":\"waiting\",\"slots\":[3,4],\"seconds\":10,"
                + "\"why\":\"queue default: 512 MB asked, 512 MB free on 2 nodes\"}"), take().lines);
        answer(grant(1, "h1"));
        now += 10_000;
        plan.tick(now);
        assertTrue(take().lines.get(1).startsWith("{\"type\":\"waiting\",\"slots\":[4],\"seconds\":20,"));
    }

    @Test
    void more_memory_than_a_container_may_have_is_told_not_asked() {
        Target.Slot slot = slot(0, 1);
        slot.memory_mb = 8192;
        target(1, slot);
        Plan.Steps steps = take();
        assertTrue(steps.asks.isEmpty());
        assertEquals(asList("exited 0.1 null@null launch -1000"), told(steps));
        assertTrue(steps.lines.get(0).contains("lower executors.memory"));
    }

    @Test
    void more_cores_than_there_are_become_fewer() {
        Target.Slot slot = slot(0, 1);
        slot.cores = 64;
        target(1, slot);
        assertEquals(4, take().asks.get(0).getCapability().getVirtualCores());
    }

    @Test
    void the_label_is_asked_for_and_none_when_it_is_empty() {
        Target target = new Target();
        target.rev = 1;
        target.slots = asList(slot(0, 1));
        plan.target(target, now);
        assertNull(take().asks.get(0).getNodeLabelExpression());
        target.rev = 2;
        target.label = "gpu";
        target.slots = asList(slot(0, 2));
        plan.target(target, now);
        assertEquals("gpu", take().asks.get(0).getNodeLabelExpression());
    }

    @Test
    void all_is_given_up_at_once() {
        target(1, slot(0, 1), slot(1, 1));
        Container grant = grant(1, "h1");
        answer(grant);
        take();
        plan.stopAll();
        Plan.Steps steps = take();
        assertEquals(asList(grant), steps.stops);
        assertEquals(asList(2), priorities(steps.withdrawn));
        assertFalse(steps.asking);
    }

    @Test
    void asks_and_containers_are_accounted_for_whatever_happens() {
        for (long seed = 1; seed <= 300; seed++) {
            new RandomWorld(seed).run();
        }
    }

    private void exclude(String... hosts) {
        excluded = new LinkedHashSet<>(asList(hosts));
    }

    private void target(long rev, Target.Slot... slots) {
        Target target = new Target();
        target.rev = rev;
        target.slots = asList(slots);
        target.exclude = excluded;
        plan.target(target, now);
    }

    static Target.Slot slot(int slot, long gen, String... avoid) {
        Target.Slot wanted = new Target.Slot();
        wanted.slot = slot;
        wanted.gen = gen;
        wanted.memory_mb = 256;
        wanted.cores = 1;
        wanted.argv = asList("./spindle", "executor");
        wanted.avoid = new LinkedHashSet<>(asList(avoid));
        return wanted;
    }

    private Plan.Steps take() {
        return plan.take(now);
    }

    private Container grant(int priority, String host) {
        return FakeCluster.container(++containers, priority, host);
    }

    private void answer(Container... grants) {
        answer(2, grants);
    }

    private void answer(int nodes, Container... grants) {
        plan.answer(FakeCluster.answer(asList(grants), emptyList(), nodes), now);
    }

    private void completed(String container, int status) {
        plan.answer(FakeCluster.answer(emptyList(), asList(FakeCluster.status(container, status)), 2), now);
    }

    private static List<Integer> priorities(List<ContainerRequest> asks) {
        return asks.stream().map(ask -> ask.getPriority().getPriority()).collect(toList());
    }

    private static NodeReport node(String host, NodeState state) {
        return NodeReport.newInstance(NodeId.newInstance(host, 1), state, "", "", null, null, 0, "", 0);
    }

    private static void assertNothing(Plan.Steps steps) {
        assertTrue(steps.asks.isEmpty() && steps.withdrawn.isEmpty() && steps.releases.isEmpty()
                && steps.launches.isEmpty() && steps.stops.isEmpty(), "nothing is to be done");
        assertEquals(emptyList(), steps.lines);
    }

    /** The lines in short. */
    private static List<String> told(Plan.Steps steps) {
        return steps.lines.stream().map(PlanTest::told).collect(toList());
    }

    private static String told(String line) {
        String told = field(line, "type") + " " + field(line, "slot") + "." + field(line, "gen") + " "
                + field(line, "container") + "@" + field(line, "host");
        return line.contains("\"class\"") ? told + " " + field(line, "class") + " " + field(line, "code") : told;
    }

    /** A field of a line, as text; a container by its number. */
    static String field(String line, String name) {
        JsonElement value = new JsonParser().parse(line).getAsJsonObject().get(name);
        return value == null || value.isJsonNull() ? "null" : value.getAsString().replaceFirst("^container_17_0001_02_0*", "c");
    }
}
