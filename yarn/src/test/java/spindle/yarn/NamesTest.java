package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Container ids, sizes and settings. */
class NamesTest {
    @ParameterizedTest
    @CsvSource({"container_1700000000000_0001_02_000001,application_1700000000000_0001,2",
        "container_e07_1700000000000_12345_10_1000001,application_1700000000000_12345,10"})
    void a_container_tells_its_application_and_attempt(String id, String application, int attempt) throws Malformed {
        ContainerName name = ContainerName.parse(id);
        assertEquals(application, name.application);
        assertEquals(attempt, name.attempt);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "container", "container_1_2_3", "x_1_2_3_4", "container_1_2_3_4_5_6", "container_e_1_2_3_4"})
    void other_ids_are_refused(String id) {
        assertTrue(assertThrows(Malformed.class, () -> ContainerName.parse(id)).getMessage().contains("CONTAINER_ID"));
    }

    @ParameterizedTest
    @CsvSource({"1024,1024,1,1024", "1024,1024,1024,1024", "1024,1024,1025,2048", "64,64,100,128", "1024,512,1100,1536",
        "1024,512,100,1024", "0,0,77,77", "64,64,2147483647,2147483647"})
    void sizes_are_rounded_as_the_scheduler_does(int min_mb, int step_mb, int asked_mb, int rounded_mb) {
        assertEquals(rounded_mb, new Sizes(min_mb, step_mb).rounded(asked_mb));
    }

    @Test
    void what_does_not_fit_now_is_said() {
        Sizes sizes = new Sizes(64, 64);
        assertNull(sizes.shortage(Arrays.asList(1000, 1000), 448, 256, 5));
        assertEquals("only 5 of 6 executors of 256 MB find room on 2 nodes now: the others will wait",
                sizes.shortage(Arrays.asList(1000, 1000), 448, 256, 6));
        assertEquals("none of 2 nodes has 448 MB free for the driver now: it will wait",
                sizes.shortage(Arrays.asList(-5, 447), 448, 256, 1));
        assertEquals("only 2 of 3 executors of 256 MB find room on 1 node now: the others will wait",
                sizes.shortage(Arrays.asList(960), 448, 200, 3));
    }

    @Test
    void settings_come_back_as_they_were() throws Malformed {
        Settings.Resource file = new Settings.Resource("a", "hdfs://n/a b", 5, 1700000000000L, "PUBLIC");
        String written = Settings.write("u", "hdfs://n/x", "abc", Arrays.asList("--follow-ms", "60000"),
                Collections.singletonList(file), Arrays.asList("hdfs://n/x", "hdfs://n/y"), 448, 256);
        Settings read = Settings.parse(written);
        assertEquals(written, Settings.write(read.user, read.app_dir, read.binary_sha256, read.driver_args,
                read.resources, read.needed, read.driver_memory_mb, read.executor_memory_mb));
        assertEquals(Arrays.asList(5000L, 200L, 1000L),
                Arrays.asList(read.spread_timeout_ms, read.beat_asking_ms, read.beat_idle_ms));
        assertEquals("am.json.v is 2, not from 1 to 1",
                assertThrows(Malformed.class, () -> Settings.parse(written.replace("\"v\":1", "\"v\":2"))).getMessage());
    }
}
