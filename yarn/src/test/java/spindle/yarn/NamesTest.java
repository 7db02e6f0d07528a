package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.regex.Matcher;
import org.apache.hadoop.conf.Configuration;
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
        Matcher name = ApplicationMaster.containerName(id);
        assertEquals(application, "application_" + name.group(1) + "_" + name.group(2));
        assertEquals(attempt, Integer.parseInt(name.group(3)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "container", "container_1_2_3", "x_1_2_3_4", "container_1_2_3_4_5_6", "container_e_1_2_3_4"})
    void other_ids_are_refused(String id) {
        assertTrue(assertThrows(Malformed.class, () -> ApplicationMaster.containerName(id)).getMessage().contains("CONTAINER_ID"));
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
    void more_attempts_than_the_cluster_allows_are_said() {
        Configuration conf = new Configuration(false);
        assertNull(Submitter.attemptsCut(conf, 2));
        assertEquals("yarn.attempts is 3, but the cluster allows 2 (yarn.resourcemanager.am.max-attempts): 2 is what counts",
                Submitter.attemptsCut(conf, 3));
        conf.setInt("yarn.resourcemanager.am.max-attempts", 4);
        assertNull(Submitter.attemptsCut(conf, 4));
        conf.setInt("yarn.resourcemanager.am.global.max-attempts", 3);
        assertTrue(Submitter.attemptsCut(conf, 4).contains("allows 3 (yarn.resourcemanager.am.global.max-attempts)"));
    }

    @Test
    void settings_come_back_as_they_were_and_whole() throws Malformed {
        Settings settings = new Settings();
        settings.v = Protocol.VERSION;
        settings.user = "u<ü>";
        settings.app_dir = "hdfs://n/x";
        settings.binary_sha256 = "abc";
        settings.driver_args = Arrays.asList("--follow-ms", "60000");
        Settings.Resource file = new Settings.Resource();
        file.name = "a";
        file.url = "hdfs://n/a b";
        file.size = 5;
        file.mtime = 1700000000000L;
        file.visibility = "PUBLIC";
        settings.resources = Collections.singletonList(file);
        settings.needed = Arrays.asList("hdfs://n/x", "hdfs://n/y");
        settings.driver_memory_mb = 448;
        String written = Json.write(settings);
        assertEquals(written, Json.write(Settings.parse(written)));
        assertTrue(written.startsWith("{\"v\":1,\"user\":\"u<ü>\",") && written.contains(
                "\"resources\":[{\"name\":\"a\",\"url\":\"hdfs://n/a b\",\"size\":5,\"mtime\":1700000000000,"), written);
        settings.v = 2;
        assertRefused("am.json.v is 2, not 1", settings);
        settings.v = Protocol.VERSION;
        settings.user = null;
        assertRefused("am.json.user is missing", settings);
        settings.user = "u";
        file.url = null;
        assertRefused("am.json.resources[].url is missing", settings);
    }

    private static void assertRefused(String why, Settings settings) {
        String message = assertThrows(Malformed.class, () -> Settings.parse(Json.write(settings))).getMessage();
        assertEquals(why, message);
    }
}
