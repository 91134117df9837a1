# SPDX-License-Identifier: Apache-2.0
# cmake --install build/release --prefix PREFIX, and cpack (packages drover and drover-worker): programs, manual pages, completion, recipes, unit
# files for systemd, examples. A node that only works needs the second one, whose component is "worker".
include(GNUInstallDirs)
set(share ${CMAKE_BINARY_DIR}/share)
# A cross build has them run by its emulator.
set(manual_command ${CMAKE_COMMAND} -DBIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY} -DOUT=${share} "-DRUN=${CMAKE_CROSSCOMPILING_EMULATOR}"
    -P ${CMAKE_SOURCE_DIR}/experiments/cli/manual.cmake)
add_custom_target(manual COMMAND ${manual_command} VERBATIM
    DEPENDS drover drover-coordinator drover-dashboard drover-worker drover-generate drover-labels drover-model)
list(JOIN manual_command "\" \"" manual_words)
foreach(component drover worker)
    install(CODE "execute_process(COMMAND \"${manual_words}\" COMMAND_ERROR_IS_FATAL ANY)" COMPONENT ${component})
endforeach()

install(TARGETS drover drover-coordinator drover-dashboard drover-generate drover-labels drover-model
    RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT drover)
install(TARGETS drover-worker RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT worker)
install(DIRECTORY ${share}/man/man1 DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT drover PATTERN "drover-worker.1.gz" EXCLUDE)
install(FILES ${share}/man/man1/drover-worker.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT worker)
set(completions ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(DIRECTORY ${share}/bash-completion/completions/ DESTINATION ${completions} COMPONENT drover PATTERN "drover-worker" EXCLUDE)
install(FILES ${share}/bash-completion/completions/drover-worker DESTINATION ${completions} COMPONENT worker)
install(DIRECTORY experiments/recipes/ DESTINATION ${CMAKE_INSTALL_DATADIR}/drover/recipes COMPONENT drover
    FILES_MATCHING PATTERN "*.cfg" PATTERN "README.md")
install(FILES coordinator/drover-coordinator.service dashboards/drover-dashboard.service DESTINATION lib/systemd/system COMPONENT drover)
install(FILES dashboards/grafana/drover.json dashboards/grafana/drover-alerts.yml DESTINATION ${CMAKE_INSTALL_DATADIR}/drover/grafana COMPONENT drover)
install(FILES worker/drover-worker@.service DESTINATION lib/systemd/system COMPONENT worker)
install(FILES .ci/deb/drover.sysusers.conf DESTINATION lib/sysusers.d RENAME drover.conf COMPONENT worker)

# Documents, examples of settings. Debian wants a copyright file and a changelog in its own form, compressed.
set(CPACK_PACKAGE_CONTACT "the drover authors <drover@localhost>")
string(TIMESTAMP package_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(package drover drover-worker)
    string(REPLACE "drover-worker" "worker" component ${package})
    configure_file(.ci/deb/changelog.in ${share}/${package}/changelog @ONLY)
    execute_process(COMMAND gzip -9nf ${share}/${package}/changelog COMMAND_ERROR_IS_FATAL ANY)
    set(doc ${CMAKE_INSTALL_DATADIR}/doc/${package})
    install(FILES .ci/deb/copyright ${share}/${package}/changelog.gz DESTINATION ${doc} COMPONENT ${component})
endforeach()
set(doc ${CMAKE_INSTALL_DATADIR}/doc/drover)
install(FILES README.md CHANGELOG.md DESTINATION ${doc} COMPONENT drover)
install(FILES .ci/deb/examples/drover-coordinator.env .ci/deb/examples/drover-dashboard.env worker/kubernetes.yaml
    DESTINATION ${doc}/examples COMPONENT drover)
install(FILES .ci/deb/examples/drover-worker.env DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/drover-worker/examples COMPONENT worker)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL drover worker)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DROVER_PACKAGE_NAME drover)
set(CPACK_DEBIAN_DROVER_PACKAGE_DEPENDS "drover-worker (= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_DROVER_PACKAGE_SUGGESTS "gnuplot-nox")
set(CPACK_DEBIAN_DROVER_PACKAGE_CONTROL_EXTRA
    ${CMAKE_SOURCE_DIR}/.ci/deb/drover/postinst ${CMAKE_SOURCE_DIR}/.ci/deb/drover/prerm ${CMAKE_SOURCE_DIR}/.ci/deb/drover/postrm)
set(CPACK_DEBIAN_DROVER_DESCRIPTION "experiments behind efficient-reasoning papers\n Gives out curriculum stages and tree-search jobs to workers, keeps every result\n in one SQLite file and prints the tables of a paper from it.")
set(CPACK_DEBIAN_WORKER_PACKAGE_NAME drover-worker)
set(CPACK_DEBIAN_WORKER_PACKAGE_CONTROL_EXTRA
    ${CMAKE_SOURCE_DIR}/.ci/deb/drover-worker/postinst ${CMAKE_SOURCE_DIR}/.ci/deb/drover-worker/prerm ${CMAKE_SOURCE_DIR}/.ci/deb/drover-worker/postrm)
set(CPACK_DEBIAN_WORKER_DESCRIPTION "worker of drover\n Joins a coordinator and runs its jobs: for nodes of a cluster.")
include(CPack)
