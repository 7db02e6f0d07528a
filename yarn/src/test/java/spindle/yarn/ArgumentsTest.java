package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;

/** Which words of a command line are for the jar, and which ones the program gets. */
class ArgumentsTest {
    private static final String SHA = String.join("", Collections.nCopies(8, "0123abcd"));

    @Test
    void flags_of_the_program_are_left_as_they_are() throws Refused {
        String[] flags = {"--conf", "a=b", "--driver-java-options", "-Dx=y", "--master=local[2]", "-v", "job.yaml", ""};
        Arguments arguments = Arguments.parse(flags);
        assertEquals(Arrays.asList(flags), arguments.passed);
        assertNull(arguments.binary);
        assertNull(arguments.sha256);
        assertTrue(arguments.settings.isEmpty());
    }

    @Test
    void the_jars_own_flags_may_be_anywhere() throws Refused {
        Arguments arguments =
                Arguments.parse("--name", "n", "--binary", "hdfs://nn/a b", "--sha256=" + SHA.toUpperCase(), "job.yaml");
        assertEquals("hdfs://nn/a b", arguments.binary);
        assertEquals(SHA, arguments.sha256);
        assertEquals(Arrays.asList("--name", "n", "job.yaml"), arguments.passed);
        assertEquals("b", Arguments.parse("--binary=a", "--binary", "b").binary, "the last one counts");
        assertEquals(Arrays.asList("--", "--binary"), Arguments.parse("--", "--binary").passed);
    }

    @Test
    void settings_of_hadoop_come_first() throws Refused {
        Arguments arguments = Arguments.parse("-D", "a=b=c", "-Dd=", "--name", "-De=f");
        assertEquals("{a=b=c, d=}", arguments.settings.toString());
        assertEquals(Arrays.asList("--name", "-De=f"), arguments.passed);
    }

    @Test
    void ossref_is_oss() throws Refused {
        assertEquals("oss://bucket/ossref://x", Arguments.parse("--binary", "ossref://bucket/ossref://x").binary);
    }

    @Test
    void who_fetches_is_who_submits() throws Refused {
        Arguments arguments = Arguments.parse("--principal", "p", "--keytab=k", "job.yaml");
        assertEquals("p k", arguments.principal + " " + arguments.keytab);
        assertEquals(Arrays.asList("--principal", "p", "--keytab=k", "job.yaml"), arguments.passed);
    }

    @Test
    void what_is_wrong_is_named_and_no_secret_is() {
        assertTrue(refusal("--binary").contains("--binary needs a value"));
        assertTrue(refusal("--binary=").contains("names nothing"));
        assertTrue(refusal("--sha256", "0123").contains("64 hexadecimal digits"));
        assertTrue(refusal("-D").contains("-D KEY=VALUE"));
        assertFalse(refusal("-Dmy-secret").contains("my-secret"));
        for (String url : Arrays.asList("oss://id:my-secret@bucket/key", "oss://id:my-secret/x@jars/a",
                "ossref://id:1/my-secret@jars/a", "oss://my-secret@jars/a", "s3a://id:my-secret/x@jars/a",
                "s3a://id:my-secret@jars/a", "oss://id:my-secret@jars\n/a")) {
            String password = refusal("--binary", url);
            assertTrue(password.contains("core-site.xml") && !password.contains("my-secret"), password);
        }
        assertTrue(refusal("job-\ufffd.yaml").contains("LC_ALL=C.UTF-8"));
    }

    @Test
    void a_user_or_port_in_a_url_is_no_password() throws Refused {
        for (String url : Arrays.asList("hdfs://nn:8020/a@b:c", "abfs://container@account/key", "hdfs://u@nn/x:y@z")) {
            assertEquals(url, Arguments.parse("--binary", url).binary);
        }
        String endpoint = "oss://jars.127.0.0.1:90/a@b";
        assertEquals(endpoint, Arguments.parse("--binary", endpoint).binary);
    }

    @Test
    void a_setting_that_could_be_a_secret_is_refused_without_its_value() throws Refused {
        for (String name : Arrays.asList("fs.oss.accessKeySecret", "fs.oss.securityToken", "ssl.PASSWORD", "fs.jaas.x",
                "fs.azure.account.key.me.net")) {
            String told = refusal("-D", name + "=hidden");
            assertTrue(told.contains(name) && told.contains("core-site.xml") && told.contains("credential.provider.path")
                    && !told.contains("hidden"), told);
            assertFalse(refusal("-D" + name + "=hidden").contains("hidden"));
        }
        for (String name : Arrays.asList("fs.oss.endpoint", "hadoop.security.credential.provider.path",
                "hadoop.security.key.provider.path", "x.password-file")) {
            assertEquals("v", Arguments.parse("-D", name + "=v").settings.get(name));
        }
    }

    private static String refusal(String... args) {
        Refused refused = assertThrows(Refused.class, () -> Arguments.parse(args));
        assertTrue(refused.usage);
        return refused.getMessage();
    }
}
